import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { type MusterResult, runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

/** Writes a job with a queue in a folder of its own. Returns its path and its run directory. */
function makeQueue(name: string, change: Record<string, unknown> = {}): { file: string; run: string; cwd: string } {
  const file = shop.write(`${name}/${name}.yaml`, {
    kind: "queue",
    command: ["printf", "{x}"],
    params: { x: 0 },
    outputs: ["stdout"],
    ...change,
  });
  return { file, run: join(shop.folder, name, "runs", name), cwd: join(shop.folder, name) };
}

/** Runs muster with a text on stdin. */
function pipe(words: string[], text: string): Promise<MusterResult> {
  const child = startMuster(words);
  child.stdin!.end(text);
  return waitForExit(child);
}

t.test("it is said which tasks are done or cancelled already, by add and by cancel", async (t) => {
  const { file, run } = makeQueue("settled");
  const tasks = '{"id": "a"}\n{"id": "b"}\n{"id": "c"}\n';
  t.match(await pipe(["add", file, "-"], tasks), { code: 0 });
  t.match(await runMuster(["cancel", run, "--task", "b", "--task", "b"]), {
    out: /1 task to be cancelled, unless done/,
  });
  t.match(await pipe(["add", file, "-"], '{"id": "b"}'), {
    code: 0,
    out: /0 tasks added, 1 was there already, 3 in all\n.*cancelled earlier, and will not run: b; a new id makes a new task/,
  });
  t.match(await pipe(["add", file, "-", "--close"], '{"id": "c"}'), {
    code: 0,
    out: /1 was there already, 3 in all\n.*closed/,
  });
  t.match(await runMuster(["run", file, "-i", "local"]), { code: 0 });
  const queue = shop.read("settled/runs/settled/queue.ndjson");
  const cancelled = await runMuster(["cancel", run, "--task", "a", "--task", "b"]);
  t.match(cancelled, { code: 0, out: /^\S+: done already: a\n\S+: cancelled already: b\n$/ });
  t.match(JSON.parse((await runMuster(["cancel", run, "--task", "a", "--json"])).out), {
    tasks: [],
    done: ["a"],
    cancelled: [],
  });
  t.equal(shop.read("settled/runs/settled/queue.ndjson"), queue, "nothing was asked for");
  t.match(JSON.parse((await pipe(["add", file, "-", "--json"], tasks)).out), { added: 0, known: 3, cancelled: ["b"] });
});

t.test("what is missing is named: the id of a task, and a job file", async (t) => {
  const { file } = makeQueue("missing");
  t.match(await pipe(["add", file, "-"], '{"params": {"x": 1}}\n'), {
    code: 65,
    err: /stdin:1:1: tasks\[0\] has no key "id"/,
  });
  t.match(await pipe(["add", file, "-"], '{"params": {"x": 1}}\n{"id": "a"}\n{}\n'), {
    code: 65,
    err: /stdin:1:1: tasks\[0\] has no key "id"\n.*\nstdin:3:1: tasks\[2\] has no key "id"/,
  });
  t.match(await pipe(["add", file, "-"], '{"tasks": [{"id": "a"}]}'), { code: 0, out: /1 task added/ });
  for (const name of ["nofile.yaml", "nofile.yml", "nofile.json"])
    t.match(await runMuster(["add", name, "-"]), { code: 64, err: new RegExp(`${name}: no such file`) });
});

t.test("a task that differs by the content of a file says so", async (t) => {
  const { file } = makeQueue("changed");
  shop.write("changed/data.txt", "first");
  const task = { id: "a", inputs: ["data.txt"] };
  t.match(await pipe(["add", file, "-"], JSON.stringify(task)), { code: 0 });
  shop.write("changed/data.txt", "second");
  t.match(await pipe(["add", file, "-"], JSON.stringify(task)), {
    code: 65,
    err: /stdin:1:7: the queue has a task "a" already, with another content of its file data.txt\n +the queue keeps the file/,
  });
  t.match(await pipe(["add", file, "-"], JSON.stringify({ ...task, priority: 1 })), {
    code: 65,
    err: /stdin:1:7: the queue has a task "a" already, with another content\n +give the new one its own id/,
  });
});

t.test("a run that only has queued tasks is a run for all commands", async (t) => {
  const { file, run, cwd } = makeQueue("fresh");
  t.match(await pipe(["add", file, "-"], '{"id": "u1"}\n{"id": "u2"}\n'), { code: 0 });
  const muster = (...words: string[]) => runMuster(words, { cwd });
  t.match(await muster("why", "fresh", "u1"), {
    code: 0,
    out: /chunk u1 of fresh: queued; the run has not begun\n +no attempt has begun/,
  });
  t.match(await muster("why", "fresh", "u3"), { code: 64, err: /chunk "u3" does not exist/ });
  const unprinted = {
    code: 64,
    out: "",
    err: /fresh: the run has not begun, so nothing was printed yet\n +muster status/,
  };
  t.match(await muster("logs", "fresh", "u1"), unprinted);
  t.match(await muster("logs", "fresh", "-f"), unprinted);
  t.match(await muster("cancel", "fresh"), {
    code: 0,
    out: /fresh: the run has not begun, so there is nothing to stop; 2 tasks still queued for it: cancel them with --task ID/,
  });
  t.match(JSON.parse((await muster("cancel", "fresh", "--json")).out), { state: "new", queued: 2, nodes: [] });
  t.match(await muster("cancel"), { code: 64, err: /there is no unfinished run here/ });
  t.match(await muster("cancel", "fresh", "--task", "u1"), { code: 0 });
  t.match(await muster("why", "fresh", "u1"), { code: 0, out: /chunk u1 of fresh: cancelled: it has no result/ });
  t.match(await muster("status", "fresh"), { code: 0, out: /fresh: new: 0 of 1, 0 chunks done, 1 cancelled/ });
  const plan = (...words: string[]) => muster("run", file, "-i", "local", "--plan", ...words);
  t.match(
    await plan(),
    { code: 0, out: /^fresh: 1 unit, time unknown until the first chunks have run/ },
    "of two, one is cancelled",
  );
  t.match(await pipe(["add", file, "-"], '{"id": "u4"}'), { code: 0 });
  t.match(JSON.parse((await plan("--json")).out), { units: "2" });
  t.match(await plan("--fresh"), { code: 0, out: /^fresh: no task is waiting\nnothing was run/ });
  t.match(await muster("add", "fresh", "--close"), { code: 0 });
  const ran = await runMuster(["run", file, "-i", "local"]);
  t.equal(ran.code, 0, ran.err);
  t.match(await muster("why", run, "u1"), { code: 0, out: /cancelled: it has no result/ });
  t.match(await plan(), { code: 0, out: /^fresh: no task is waiting/ }, "all are done");
  t.match(await muster("cancel", "fresh"), { code: 0, out: /fresh: was complete; 2 chunks done/ });
});

t.test("the end of a queue is not compared with a plan", async (t) => {
  const { file } = makeQueue("growing");
  const tasks = Array.from({ length: 4 }, (_, n) => `{"id": "t${n}", "expect": "1m"}`).join("\n");
  t.match(await pipe(["add", file, "-", "--close"], tasks), { code: 0 });
  const ran = await runMuster(["run", file, "-i", "local"]);
  t.match(ran, { code: 0, out: /growing: complete: 4 chunks/ });
  t.notMatch(ran.out, /planned:|planned by/);
  t.notOk("planned" in shop.json<object>("growing/runs/growing/summary.json"));
  const report = await runMuster(["report", join(shop.folder, "growing/runs/growing")]);
  t.match(report.code, 0);
  t.notMatch(report.out, /planned:|planned by|planned \d/);
});

t.test("status says that a queue is open after Ctrl-C and after a halt, and how to resume", async (t) => {
  const { file, run } = makeQueue("stopped", { command: ["sh", "-c", "exit 3"], args: [], retry: { attempts: 1 } });
  const running = startMuster(["run", file, "-i", "local"]);
  const ended = waitForExit(running);
  await waitUntil("it waits", async () => /waiting for tasks/.test((await runMuster(["status", run])).out));
  running.kill("SIGINT");
  t.match(await ended, { code: 130 });
  const open = "its queue is open: add tasks with muster add, or close it with --close";
  const interrupted = new RegExp(
    `stopped: interrupted: 0 of 0, 0 chunks done\n +${open}\n(.*\n)*? +run the same command again to resume`,
  );
  t.match(await runMuster(["status", run]), { code: 0, out: interrupted });
  const tasks = Array.from({ length: 20 }, (_, n) => `{"id": "t${n}"}`).join("\n");
  t.match(await pipe(["add", run, "-"], tasks), { code: 0 });
  t.match(JSON.parse((await runMuster(["status", run, "--json"])).out), {
    queue: "open",
    units: { done: "0", total: "20" },
  });
  t.match(await runMuster(["run", file, "-i", "local"]), { out: /stopped: halted/ });
  const halted = new RegExp(`stopped: halted: 0 of 20, .*\n +${open}\n(.*\n)*? +run the same command again to resume`);
  t.match(await runMuster(["status", run]), { code: 0, out: halted });
});

import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { watchMuster } from "../faults/knownjob.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { type MusterResult, runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: ["rig"], gpus: 2, vendor: "amd" });

/** Waits where it is told to, and prints the parameters and inputs that it got. */
const WORKER = `import json, os, sys, time
x, wait = sys.argv[1], sys.argv[2]
print("began", x, flush=True)
while wait == "wait" and not os.path.exists("/var/tmp/go"): time.sleep(0.02)
data = open("data.txt").read() if os.path.exists("data.txt") else None
json.dump({"x": x, "data": data}, open("r.json", "w"))
`;

/** Writes a job in a folder of its own. Returns its path and its run directory. */
function makeJob(name: string, change: Record<string, unknown> = {}): { file: string; run: string; folder: string } {
  shop.write(`${name}/w.py`, WORKER);
  const file = shop.write(`${name}/${name}.yaml`, {
    kind: "queue",
    script: "w.py",
    args: ["{x}", "{wait}"],
    params: { x: 0, wait: "-" },
    outputs: ["r.json"],
    ...change,
  });
  return { file, run: join(shop.folder, name, "runs", name), folder: join(shop.folder, name) };
}

/** Runs muster with a text on stdin. */
function pipe(words: string[], text: string): Promise<MusterResult> {
  const child = startMuster(words);
  child.stdin!.end(text);
  return waitForExit(child);
}

const start = (file: string, ...words: string[]) => watchMuster(startMuster(["run", file, "-i", inventory, ...words]));
const task = (id: string, x: unknown, wait = "-") => `${JSON.stringify({ id, params: { x, wait } })}\n`;
const outputs = (run: string) =>
  readFileSync(join(run, "results.ndjson"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { chunk: string; output: { x: string; data: string | null } });

t.test("tasks are added before a run and while it runs, and it ends when its queue is closed", { skip }, async (t) => {
  const { file, run, folder } = makeJob("grows");
  t.match(await pipe(["add", file, "-"], task("a", 1) + task("b", 2)), { code: 0, out: /2 tasks added, 2 in all/ });
  t.match(await runMuster(["status", run]), { code: 0, out: /new: 0 of 2, 0 chunks done\n {2}its queue is open/ });
  const running = start(file);
  await waitUntil("both are done", () => existsSync(join(run, "results/b/r.json")));
  const big = "18446744073709551615";
  const yaml = `- {id: c, params: {x: ${big}}}\n- id: d\n  priority: 3\n  args: [0x1F, '{wait}']\n`;
  const list = shop.write("grows/tasks.yaml", yaml);
  t.match(await runMuster(["add", "grows", list], { cwd: folder }), { code: 0, out: /2 tasks added, 4 in all/ });
  t.match(await runMuster(["add", run, list]), { code: 0, out: /0 tasks added, 2 were there already, 4 in all/ });
  await waitUntil("they are done", () => existsSync(join(run, "results/d/r.json")));
  await waitUntil("it says that it waits", () => isWaiting(run));
  t.match(await runMuster(["add", run, "--close"]), { code: 0, out: /the queue is closed/ });
  const ended = await running.ended;
  t.equal(ended.code, 0, ended.err);
  t.same(
    outputs(run).map(({ chunk, output }) => [chunk, output.x]),
    [
      ["a", "1"],
      ["b", "2"],
      ["c", big],
      ["d", "0x1F"],
    ],
    "in the order in which they were accepted, and as they were written",
  );
  t.match(await runMuster(["run", file, "-i", inventory]), { code: 0, out: /already complete, 4 chunks/ });
  t.match(await runMuster(["add", run, list]), { code: 0, out: /0 tasks added, 2 were there/ }, "no change: no error");
  t.match(await pipe(["add", run, "-"], task("e", 1)), { code: 65, err: /queue of \S+ is closed\n +Start a new run/ });
});

/** Whether a run says that it waits for tasks. */
async function isWaiting(run: string): Promise<boolean> {
  return /0 of 2 slots run, waiting for tasks/.test((await runMuster(["status", run])).out);
}

t.test("a batch is accepted whole or not at all, and each problem has its place", async (t) => {
  const { file, run } = makeJob("refuses");
  const lines = Array.from({ length: 1000 }, (_, n) => task(`t${n}`, n));
  lines[499] = '{"id": "t499", "parms": {"x": 1}}\n';
  t.match(await pipe(["add", file, "-"], lines.join("")), {
    code: 65,
    err: /stdin:500:16: unknown key "parms" in tasks\[499\]\n +did you mean "params"\?/,
  });
  lines[499] = '{"id": "t499", "params": {"y": 1}}\n';
  t.match(await pipe(["add", file, "-"], lines.join("")), { code: 65, err: /stdin:500:27: .*no parameter "y"/ });
  lines[499] = '{"id": "t499", \n';
  t.match(await pipe(["add", file, "-"], lines.join("")), { code: 65, err: /stdin:501:1: this is not JSON/ });
  lines[499] = task("t3", 1);
  t.match(await pipe(["add", file, "-"], lines.join("")), { code: 65, err: /stdin:500:7: the id "t3" appears twice/ });
  const yaml = "- id: ok\n- id: bad\n  inputs: [nowhere.txt]\n";
  t.match(await pipe(["add", file, "-"], yaml), {
    code: 65,
    err: /stdin:3:12: tasks\[1\]\.inputs\[0\]: "nowhere.txt"/,
  });
  t.match(await pipe(["add", file, "-"], "x: 1\n"), { code: 65, err: /stdin:1:1: is no list of tasks/ });
  t.match(await pipe(["add", file, "-"], ""), { code: 65, err: /stdin: has no tasks/ });
  t.equal(existsSync(join(run, "queue.ndjson")), false, "nothing was accepted");
  t.match(await pipe(["add", file, "-"], task("a", 1)), { code: 0 });
  t.match(await pipe(["add", file, "-"], task("b", 1) + task("a", 2)), {
    code: 65,
    err: /stdin:2:7: the queue has a task "a" already, with another content/,
  });
  t.match(await runMuster(["status", run, "--json"]), { out: /"total": "1"/ }, "b was not accepted either");
  const other = shop.write("refuses/other.yaml", { kind: "matrix", matrix: { n: [0, 2] }, script: "w.py" });
  t.match(await pipe(["add", other, "-"], task("a", 1)), { code: 65, err: /a job of kind matrix has no queue/ });
  t.match(await runMuster(["add", "nix", "-"]), { code: 64, err: /nix: is neither a run directory/ });
  t.match(await runMuster(["add", run]), { code: 64, err: /name a file with tasks, or - for stdin/ });
});

t.test("of many that add at once, each is accepted whole", async (t) => {
  const { file, run } = makeJob("crowd");
  const batches = Array.from({ length: 6 }, (_, n) => [0, 1, 2].map((k) => task(`b${n}-${k}`, k)).join(""));
  const added = await Promise.all(batches.map((text) => pipe(["add", file, "-", "--json"], text)));
  t.same(
    added.map(({ code }) => code),
    added.map(() => 0),
    added.map(({ err }) => err).join(""),
  );
  const records = readFileSync(join(run, "queue.ndjson"), "utf8").trimEnd().split("\n");
  t.equal(records.length, 7);
  t.equal(Math.max(...added.map(({ out }) => JSON.parse(out).accepted)), 18);
  t.equal(statSync(join(run, "queue.ndjson")).mode & 0o077, 0, "only the owner may read it");
});

t.test("the files of tasks are kept as they were when they were added", { skip }, async (t) => {
  const { file, run, folder } = makeJob("files");
  const data = shop.write("files/data.txt", "first");
  const text = JSON.stringify({ id: "a", inputs: ["data.txt"] });
  t.match(await pipe(["add", file, "-"], text), { code: 0 });
  writeFileSync(data, "second");
  t.match(await pipe(["add", file, "-"], text), { code: 65, err: /task "a" already, with another content/ });
  t.match(await pipe(["add", file, "-"], JSON.stringify({ id: "b", inputs: ["data.txt"] })), { code: 0 });
  shop.write("files/late.py", WORKER);
  const late = { id: "c", script: "late.py", args: ["3", "-"] };
  t.match(await pipe(["add", file, "-", "--close"], JSON.stringify(late)), { code: 0 });
  for (const name of ["data.txt", "late.py"]) rmSync(join(folder, name));
  const ran = await start(file).ended;
  t.equal(ran.code, 0, ran.err);
  t.same(
    outputs(run).map(({ output }) => output.data),
    ["first", "second", null],
  );
});

t.test("a queue closes by itself when it has had no work for a while", { skip }, async (t) => {
  const { file, run } = makeJob("idle", { idle: "5s" });
  t.match(await pipe(["add", file, "-"], task("a", 1)), { code: 0 });
  const running = start(file);
  await waitUntil("it is done", () => existsSync(join(run, "results/a/r.json")));
  t.match(await pipe(["add", run, "-"], task("b", 1)), { code: 0 });
  const ended = await running.ended;
  t.equal(ended.code, 0, ended.err);
  t.same(
    outputs(run).map(({ chunk }) => chunk),
    ["a", "b"],
  );
  t.match(readFileSync(join(run, "queue.ndjson"), "utf8"), /"e":"close","at":"[^"]*","by":"idle"/);
});

t.test("tasks that wait or run are cancelled, also before a coordinator is there", { skip }, async (t) => {
  const { file, run } = makeJob("cancels");
  const waiting = ["a", "b", "c", "d"].map((id) => task(id, 1, "wait")).join("");
  t.match(await pipe(["add", file, "-"], waiting), { code: 0 });
  t.match(await runMuster(["cancel", run, "--task", "d"]), { code: 0, out: /1 task to be cancelled/ });
  const running = start(file);
  const running2 = () => nodes[0]!.processes().filter(({ argv }) => argv.includes("w.py")).length;
  await waitUntil("two run", () => running2() === 2);
  t.match(await runMuster(["cancel", run, "--task", "a", "--task", "c"]), { code: 0 });
  await waitUntil("b is left", () => running2() === 1);
  const why = async () => (await runMuster(["why", run, "a"])).out;
  await waitUntil("a is cancelled", async () => (await why()).includes("cancelled: it has no result"));
  t.match(await runMuster(["logs", run, "a"]), { code: 0, out: /^began 1$/m }, "what it has printed is kept");
  t.match(await runMuster(["cancel", run, "--task", "x"]), { code: 64, err: /has no task "x"/ });
  await runMuster(["add", run, "--close"]);
  await nodes[0]!.exec(["touch", "/var/tmp/go"]);
  const ended = await running.ended;
  t.equal(ended.code, 0, ended.err);
  t.same(
    outputs(run).map(({ chunk }) => chunk),
    ["b"],
  );
  t.match(await runMuster(["run", file, "-i", inventory]), { code: 0, out: /already complete, 1 chunk, 3 cancelled/ });
  t.match(await runMuster(["report", run]), { code: 0, out: /complete: 1 chunk done, 3 cancelled/ });
});

t.test("a step of a pipeline takes its tasks from another one, or from muster add", { skip }, async (t) => {
  makeJob("piped");
  const tasks = ["p", "q"].map((id) => task(id, id).replace(/[{}]/g, "$&$&")).join("");
  const file = shop.write("piped/pipeline.yaml", {
    kind: "pipeline",
    name: "line",
    steps: {
      make: {
        command: ["sh", "-c", 'printf %s "$1" > "$2/tasks.ndjson"', "sh", tasks, "{out}"],
        outputs: ["tasks.ndjson"],
      },
      fed: { job: "piped.yaml", tasks: "make/tasks.ndjson" },
      open: { job: "piped.yaml" },
      after: { command: ["true"], needs: ["fed", "open"] },
    },
  });
  const run = join(shop.folder, "piped/runs/line");
  const running = start(file);
  await waitUntil("the step is open", () => existsSync(join(run, "open/live.json")));
  t.match(await pipe(["add", join(run, "open"), "-", "--close"], task("late", 5)), { code: 0 });
  const ended = await running.ended;
  t.equal(ended.code, 0, ended.err + ended.out);
  t.same(
    [...outputs(join(run, "fed")), ...outputs(join(run, "open"))].map(({ chunk }) => chunk),
    ["p", "q", "late"],
  );
  t.match(await pipe(["add", run, "-"], task("x", 5)), { code: 65, err: /run of a pipeline\n +Name a step/ });
});

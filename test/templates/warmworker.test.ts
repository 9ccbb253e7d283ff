import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { findProcesses } from "./agentdriver.js";
import { attachWarm, WRITE_PID, worker } from "./warmdriver.js";

t.setTimeout(600_000);

t.test("one process takes chunk after chunk, each with its own folder, log and arguments", async (t) => {
  const { run, folder } = await attachWarm(t);
  const spec = worker(
    `print(chunk.id, sys.argv[1:], os.environ["MUSTER_ATTEMPT"])
print("oops", file=sys.stderr); subprocess.run(["echo", "from a child"])
assert os.listdir(".") == [], os.listdir(".")
open("left", "w").write("x")
${WRITE_PID}`,
    { loading: "time.sleep(0.3)" },
  );
  const first = await run("a", spec, ["one"]);
  const second = await run("b", spec, ["two"]);
  const third = await run("c", spec, []);
  t.match(first.done, { exit: 0, missing: [] });
  t.ok(first.done.loading! > 0.3 && first.done.seconds >= first.done.loading!);
  t.equal(second.done.loading, undefined);
  t.same([second.output, third.output], [first.output, first.output], "one process");
  t.same(
    [first.stdout, second.stdout, third.stdout],
    ["chunk-a ['one'] a\nfrom a child\n", "chunk-b ['two'] b\nfrom a child\n", "chunk-c [] c\nfrom a child\n"],
  );
  t.equal(second.stderr, "oops\n");
  await waitUntil("their folders are deleted", () => folder.listAttempts().length === 0);
});

t.test("a worker is recycled after so many chunks, for another spec, and when its memory has grown", async (t) => {
  const { run } = await attachWarm(t);
  const spec = worker(WRITE_PID, { warm: { chunks: 2 } });
  const pids: string[] = [];
  for (const id of ["a", "b", "c"]) pids.push((await run(id, spec)).output);
  t.equal(pids[0], pids[1]);
  t.not(pids[1], pids[2]);
  const other = await run("d", { ...spec, warm: { chunks: 2, isolate: "model=b" } });
  t.not(other.output, pids[2]);
  t.same(
    findProcesses("MUSTER_WORKER=").filter((pid) => `${pid}` === pids[2]),
    [],
  );
  const hungry = worker(`keep = b"x" * (80 << 20)\n${WRITE_PID}`, { warm: { memory: 50 << 20 } });
  t.not((await run("e", hungry)).output, (await run("f", hungry)).output);
});

t.test("an idle worker ends when its node is drained; the next chunk starts another", async (t) => {
  const { run, attachment } = await attachWarm(t);
  const spec = worker(WRITE_PID);
  const isAlive = (pid: string) => findProcesses("MUSTER_WORKER=").some((one) => `${one}` === pid);
  const first = await run("a", spec);
  t.ok(isAlive(first.output));
  attachment.send({ op: "retire" });
  await waitUntil("it has ended", () => !isAlive(first.output));
  const second = await run("b", spec);
  t.not(second.output, first.output);
});

t.test("an error is the chunk's, and so are os._exit and a crash; the next chunk gets a new worker", async (t) => {
  const { run } = await attachWarm(t);
  const spec = worker(`
if word == "error": raise ValueError("no such planet")
if word == "exit": os._exit(3)
if word == "kill": os.kill(os.getpid(), 9)
if word == "final": chunk.fail("bad input")
${WRITE_PID}`);
  const before = await run("a", spec);
  const error = await run("b", spec, ["error"]);
  t.match(error.done, { exit: 1 });
  t.match(error.stderr, /Traceback[\s\S]*ValueError: no such planet/);
  t.match((await run("c", spec, ["exit"])).done, { exit: 3 });
  t.match((await run("d", spec, ["kill"])).done, { signal: 9 });
  t.match((await run("e", spec, ["final"])).done, { exit: 1, error: "bad input", final: true });
  const after = await run("f", spec);
  t.match(after.done, { exit: 0, missing: [] });
  t.not(after.output, before.output);
});

t.test("a chunk has its own timeout, also where the worker catches SIGTERM", async (t) => {
  const { run } = await attachWarm(t);
  const spec = {
    ...worker(`if word: time.sleep(60)\n${WRITE_PID}`, {
      loading: "import signal; signal.signal(signal.SIGTERM, lambda *_: None)",
    }),
    timeout: 2,
  };
  await run("a", spec);
  t.match((await run("b", spec, ["hang"])).done, { timeout: true });
  t.match((await run("c", spec)).done, { exit: 0, timeout: false });
});

t.test("a program that takes one chunk only is told so, and runs cold", async (t) => {
  const { run, attachment } = await attachWarm(t);
  const spec = { argv: ["sh", "-c", 'echo "$0" > out'], outputs: ["out"], warm: {} };
  t.match(await run("a", spec, ["one"]), { done: { exit: 0, missing: [] }, output: "one\n" });
  const problem = await attachment.waitFor((one) => one.ev === "problem");
  t.match(problem, { message: /^`sh -c .*` ended without asking for its chunk, so it is started for each chunk/ });
  t.match(await run("b", spec, ["two"]), { done: { exit: 0, missing: [] }, output: "two\n" });
  t.equal(attachment.messages.filter((one) => one.ev === "problem").length, 1);
});

t.test("a worker that says done twice, or prints to the descriptor, is started again", async (t) => {
  const { run, attachment } = await attachWarm(t);
  const twice = worker(`
if word == "twice" and chunk.id == "chunk-b": os.write(4, b"done " + os.fsencode(os.environ["MUSTER_RANGE"][:-6].replace("/b", "/a")) + b"\\n"); time.sleep(20)
if word == "print": os.write(4, b"hello\\n"); time.sleep(20)
${WRITE_PID}`);
  const first = await run("a", twice, ["twice"]);
  t.match((await run("b", twice, ["twice"])).done, { error: /^its worker said again that a chunk was done/ });
  t.match((await run("c", twice, ["print"])).done, { error: /^its worker wrote 'hello' to descriptor 4/ });
  const last = await run("d", twice);
  t.match(last.done, { exit: 0 });
  t.not(last.output, first.output);
  t.same(
    attachment.messages.filter((one) => one.ev === "problem"),
    [],
  );
});

t.test("what a worker writes into the folder of a chunk that has ended fails the next one", async (t) => {
  const { run } = await attachWarm(t);
  const spec = worker(`
if word == "late":
    path = os.getcwd() + "/late"
    def write():
        while not os.path.exists(os.environ["MUSTER_ROOT"] + "/go"): time.sleep(0.01)
        open(path, "w").write("x")
    threading.Thread(target=write, daemon=True).start()
if word == "wait":
    open(os.environ["MUSTER_ROOT"] + "/go", "w").close()
    time.sleep(0.5)
${WRITE_PID}`);
  const first = await run("a", spec, ["late"]);
  t.match(first.done, { exit: 0 });
  const second = await run("b", spec, ["wait"]);
  t.match(second.done, { error: "its worker wrote late into the folder of chunk chunk-a, which had ended" });
  t.not((await run("c", spec)).output, first.output);
});

t.test("processes that a chunk leaves behind end with their worker", async (t) => {
  const { run, attachment } = await attachWarm(t);
  const [child, orphan] = [`300.${process.pid}`, `301.${process.pid}`];
  const spec = worker(`
if word == "child": subprocess.Popen(["sleep", "${child}"])
if word == "orphan": subprocess.run(["sh", "-c", "setsid sleep ${orphan} &"])
${WRITE_PID}`);
  const first = await run("a", spec);
  t.equal((await run("b", spec, ["child"])).output, first.output);
  const third = await run("c", spec, ["orphan"]);
  t.not(third.output, first.output);
  await run("d", spec);
  t.same(findProcesses(`sleep\0${child}`), []);
  t.same(findProcesses(`sleep\0${orphan}`), []);
  t.equal(attachment.messages.filter((one) => one.ev === "problem").length, 2);
});

t.test("a worker in the language of the shell", async (t) => {
  const { run } = await attachWarm(t);
  const script = readFileSync(new URL("../../../docs/worker-protocol.md", import.meta.url), "utf8");
  const example = /```sh\n(load_the_model\n[\s\S]*?)```/
    .exec(script)![1]!
    .replace("load_the_model", "n=0")
    .replace("compute", () => "echo $$");
  const spec = { argv: ["sh", "-c", example, "sh"], outputs: ["hits.json"], warm: {} };
  const first = await run("a", spec, ["it's", "x  y"]);
  const second = await run("b", spec, ["2"]);
  t.match(first.output, /^\d+ it's x {2}y\n$/);
  t.equal(second.output, first.output.replace("it's x  y", "2"));
});

t.test("a cancelled chunk ends its worker; the agent's end ends idle ones", async (t) => {
  const { run, attachment, folder } = await attachWarm(t);
  const spec = worker(`
if word: open(os.environ["MUSTER_ROOT"] + "/begun", "w").close(); time.sleep(60)
${WRITE_PID}`);
  await run("a", spec);
  attachment.start("b", spec, ["hang"]);
  await attachment.waitFor((one) => one.ev === "started" && one.id === "b");
  while (!existsSync(join(folder.root, "begun"))) await new Promise((resolve) => setTimeout(resolve, 20));
  attachment.send({ op: "cancel", ids: ["b"] });
  t.match(await attachment.waitForDone("b"), { cancelled: true });
  const { output } = await run("c", spec);
  t.ok(findProcesses("MUSTER_WORKER=").includes(Number(output)));
  await attachment.stop();
  t.notOk(findProcesses("MUSTER_WORKER=").includes(Number(output)));
});

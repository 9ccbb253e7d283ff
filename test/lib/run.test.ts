import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import {
  add,
  InvalidFileError,
  type JobFile,
  listRuns,
  MusterError,
  type RunProgressEvent,
  type RunResult,
  run,
  status,
  UsageError,
} from "../../lib/index.js";
import { checkNodes } from "../faults/checks.js";
import { shareLab } from "../lab/sharedlab.js";
import { closeGates, gatedJob, openGate } from "./gatedjob.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: 2, gpus: 2 }, "opening gates on nodes");
const { folder } = shop;

t.afterEach(() => closeGates(nodes));

/** What a call of the library must leave as it is. */
function describeProcess() {
  const listeners = ["SIGINT", "SIGTERM", "SIGHUP", "uncaughtException"].map((name) => process.listenerCount(name));
  return { listeners, cwd: process.cwd(), env: { ...process.env }, umask: process.umask(), code: process.exitCode };
}

async function collect<T>(results: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const result of results) all.push(result);
  return all;
}

/** Resolves with the error that a run begins with. */
async function refusal(job: JobFile | string, settings = {}): Promise<MusterError> {
  const error = await run(job, { inventory, folder, ...settings }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof MusterError) return error;
  throw error ?? new Error("the run began");
}

t.test("results arrive while the run goes on, and nothing of the process is changed", { skip }, async (t) => {
  const before = describeProcess();
  const states: string[] = [];
  const trickle = await run<string>(gatedJob("trickle", { a: "", b: "1", c: "2" }), { inventory, folder });
  t.equal(trickle.directory, join(folder, "runs/trickle"));
  const results: RunResult<string>[] = [];
  for await (const result of trickle) {
    results.push(result);
    states.push((await status(trickle.directory)).state);
    t.same(describeProcess(), before);
    // The next task ends only because this result has arrived.
    openGate(nodes, `${results.length}`);
  }
  t.same(states.slice(0, 2), ["running", "running"]);
  t.same(
    results.map(({ chunk, output }) => [chunk, output]),
    [
      ["a", "a"],
      ["b", "b"],
      ["c", "c"],
    ],
  );
  for (const { files, chunk } of results)
    t.same(
      files.map((file) => readFileSync(file, "utf8")),
      [`"${chunk}"\n`],
    );
  const end = await trickle.finished;
  t.match(end, { meaning: "done", exitStatus: 0, state: "complete", wasComplete: false });
  t.match(end.summary, { chunks: { done: 3, failed: 0 } });

  const again = await run<string>(gatedJob("trickle", { a: "", b: "1", c: "2" }), { inventory, folder });
  t.same(
    (await collect(again)).map(({ chunk }) => chunk),
    ["a", "b", "c"],
    "a complete run yields its results",
  );
  t.match(await again.finished, { meaning: "done", wasComplete: true });
  t.match(await listRuns(folder), [{ name: "trickle", state: "complete" }]);
  t.equal(statSync(join(again.directory, "job.yaml")).mode & 0o077, 0, "what an object says may be secret");
});

t.test("a signal ends a run, which leaves nothing here and is resumed by the next call", { skip }, async (t) => {
  const gates = { a: "", b: "later", c: "later" };
  const descriptors = readdirSync("/proc/self/fd").length;
  const stopping = new AbortController();
  const first = await run(gatedJob("stopped", gates), { inventory, folder, signal: stopping.signal });
  for await (const { chunk } of first) {
    t.equal(chunk, "a");
    stopping.abort();
  }
  const end = await first.finished;
  t.match(end, { meaning: "interrupted", exitStatus: 130, state: "interrupted" });
  t.match(await status(first.directory), { state: "interrupted", chunks: { done: 1 } });
  t.equal(readdirSync("/proc/self/fd").length, descriptors, "no connection, lock or file is open");

  const left = await run(gatedJob("stopped", gates), { inventory, folder });
  for await (const { chunk } of left) {
    t.equal(chunk, "a", "results of the first session come first");
    break;
  }
  t.match(await left.finished, { meaning: "interrupted" }, "leaving the loop interrupts the run");
  openGate(nodes, "later");
  const rest = await run(gatedJob("stopped", gates), { inventory, folder });
  t.same((await collect(rest)).map(({ chunk }) => chunk).sort(), ["a", "b", "c"]);
  t.match(await rest.finished, { meaning: "done", summary: { session: { number: 3 } } });
  await checkNodes(t, nodes);
});

t.test("two runs in one process do not disturb each other", { skip }, async (t) => {
  // Each ends only because of a result of the other.
  const [one, two] = await Promise.all([
    run(gatedJob("one", { a1: "", b1: "two" }), { inventory, folder }),
    run(gatedJob("two", { a2: "", b2: "one" }), { inventory, folder }),
  ]);
  const follow = async (results: AsyncIterable<RunResult>, gate: string) => {
    const chunks: string[] = [];
    for await (const { chunk } of results) {
      chunks.push(chunk);
      openGate(nodes, gate);
    }
    return chunks.sort();
  };
  t.same(await Promise.all([follow(one, "one"), follow(two, "two")]), [
    ["a1", "b1"],
    ["a2", "b2"],
  ]);
  t.match(await Promise.all([one.finished, two.finished]), [{ meaning: "done" }, { meaning: "done" }]);

  const held = await run(gatedJob("held", { a: "held" }), { inventory, folder });
  t.match(await refusal(gatedJob("held", { a: "held" })), { code: "HELD", exitStatus: 75 });
  t.equal((await status(held.directory)).state, "running", "which goes on");
  openGate(nodes, "held");
  t.same(
    (await collect(held)).map(({ chunk }) => chunk),
    ["a"],
  );
  await checkNodes(t, nodes);
});

t.test("integers of any size are exact, and what fails is told", { skip }, async (t) => {
  const events: RunProgressEvent[] = [];
  const start = 2n ** 64n - 2n;
  const job: JobFile = {
    name: "range",
    kind: "range",
    range: [start, start + 2n],
    chunk: 1,
    params: { seed: 2n ** 63n + 1n },
    command: ["sh", "-c"],
    args: ['[ {start} = 18446744073709551614 ] && echo "[{start}, {seed}]"'],
    outputs: ["stdout"],
    retry: { attempts: 1 },
  };
  const half = await run(job, { inventory, folder, maxNodes: 1, onEvent: (event) => events.push(event) });
  const results = await collect(half);
  t.match(results, [
    { range: { start, end: start + 1n }, params: { seed: 2n ** 63n + 1n }, output: [start, 2n ** 63n + 1n] },
  ]);
  t.equal(results.length, 1);
  const end = await half.finished;
  t.match(end, { meaning: "partly done", exitStatus: 3, state: "partial" });
  const failed = `${start + 1n}-${start + 2n}`;
  t.match(end.summary.failures, [{ chunk: failed }]);
  t.match(
    events.filter(({ type }) => type === "chunkFailed"),
    [{ failure: { chunk: failed } }],
  );
  t.same(new Set(events.flatMap((event) => (event.type === "nodeChanged" ? [event.node] : []))).size, 1, "one node");
});

t.test("a job that is wrong says where, and other refusals say what to do", { skip }, async (t) => {
  const job = gatedJob("wrong", { a: "" });
  const task = { id: "b", args: ["{nonsense}"], inputs: ["not/there.json"] };
  const wrong = {
    ...job,
    "kin/d": 1,
    tasks: [...job.tasks!, task, { id: "a", args: [() => 1, new Date(0), Number.NaN] }],
  };
  const plain = (await refusal(wrong as never)) as InvalidFileError;
  t.ok(plain instanceof InvalidFileError);
  t.same(
    plain.problems.map(({ pointer, message }) => [pointer, message]),
    [
      ["/tasks/2/args/0", "must be plain data, not a function"],
      ["/tasks/2/args/1", "must be plain data, not an object of class Date"],
      ["/tasks/2/args/2", "must be a finite number, not NaN"],
    ],
  );
  const checked = (await refusal({ ...wrong, tasks: [...job.tasks!, task, { id: "a" }] } as never)) as InvalidFileError;
  t.match(checked.problems, [{ file: "job", pointer: "/kin~1d", message: 'unknown key "kin/d"' }]);
  const pointers = checked.problems.map(({ pointer }) => pointer);
  for (const pointer of ["/tasks/1/args/0", "/tasks/1/inputs/0", "/tasks/2/id"])
    t.ok(pointers.includes(pointer), pointer);
  t.match(checked.message, /^job#\/kin~1d: unknown key/);
  const loop: Record<string, unknown> = { ...job };
  loop.env = { loop };
  t.match(await refusal(loop as never), { message: "job#/env/loop: must not contain itself" });

  const file = shop.write("bad.yaml", "kind: range\nrange: [0, 10]\ncomand: [true]\n");
  const inFile = (await refusal(file)) as InvalidFileError;
  t.match(
    inFile.problems.find(({ message }) => message.includes("comand")),
    { file, line: 3, column: 1 },
  );
  t.match(await refusal(join(folder, "nothing.yaml")), { code: "INVALID_FILE" });
  t.match(await refusal({ ...job, name: "nowhere", needs: { vram: "999GiB" } }), { code: "NO_NODE", exitStatus: 69 });
  t.ok((await refusal(job, { maxNodes: 0 })) instanceof UsageError);
  await t.rejects(status(join(folder, "nothing")), { code: "USAGE" });
  await t.rejects(listRuns(join(folder, "nothing")), { code: "USAGE" });
  t.notOk(readdirSync(join(folder, "runs")).includes("wrong"), "nothing was made");
});

t.test("tasks are added to a queue while it runs, and results decide on the next ones", { skip }, async (t) => {
  const job: JobFile = { ...gatedJob("queue", {}), kind: "queue", args: ["{chunk}", ""] };
  delete job.tasks;
  const queue = await run<string>(job, { inventory, folder });
  t.match(await add(queue.directory, [{ id: "t1" }]), {
    directory: queue.directory,
    added: 1,
    known: 0,
    cancelled: [],
  });
  const seen: string[] = [];
  for await (const { chunk } of queue) {
    seen.push(chunk);
    if (seen.length < 3) await add(queue.directory, [{ id: `t${seen.length + 1}` }]);
    else t.match(await add(queue.directory, [{ id: "t3" }], { close: true }), { added: 0, known: 1 });
  }
  t.same(seen, ["t1", "t2", "t3"]);
  t.match(await queue.finished, { meaning: "done" });
  await t.rejects(add(queue.directory, [{ id: "t4" }]), { code: "QUEUE_CLOSED" });
  const wrong = await add(queue.directory, [{ id: "t5" }, { id: "t6", argz: 1 } as never]).catch((error) => error);
  t.match(wrong.problems, [{ pointer: "/tasks/1/argz" }]);
  await t.rejects(add(join(folder, "runs/trickle"), [{ id: "a" }]), { code: "NO_QUEUE" });
});

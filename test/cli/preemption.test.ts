import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { checkNodes, readJournal } from "../faults/checks.js";
import { watchMuster } from "../faults/knownjob.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster } from "./startmuster.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: ["rig"], gpus: 2, vendor: "amd" }, "GPUs");
const node = nodes[0]!;

t.setTimeout(600_000);

/**
 * Counts to the given number, a step each tenth of a second, and on while the file `hold` exists. Saves the count when it is told to end,
 * after the seconds in the file `slow`. Its result: the count, where each of its attempts began, and its GPU.
 */
const COUNTER = `import json, os, signal, sys, time
state = os.environ["MUSTER_STATE"]
try:
    with open(os.path.join(state, open(os.path.join(state, "current")).read(), "count")) as file: saved = json.load(file)
except FileNotFoundError:
    saved = {"count": 0, "began": []}
saved["began"].append(saved["count"])
def save(*_):
    if os.path.exists("/var/tmp/slow"): time.sleep(float(open("/var/tmp/slow").read()))
    name = "s%d" % len(saved["began"])
    os.mkdir(os.path.join(state, name))
    with open(os.path.join(state, name, "count"), "w") as file: json.dump(saved, file)
    with open(os.path.join(state, "new"), "w") as file: file.write(name)
    os.rename(os.path.join(state, "new"), os.path.join(state, "current"))
    sys.exit(1)
signal.signal(signal.SIGTERM, save)
while saved["count"] < int(sys.argv[1]) or os.path.exists("/var/tmp/hold"):
    time.sleep(0.1)
    saved["count"] += 1
json.dump(saved, open("r.json", "w"))
`;
/** Works for a while, and until `release`. */
const SLEEPER = `import json, os, sys, time
time.sleep(float(sys.argv[1]))
while os.path.exists("/var/tmp/hold"): time.sleep(0.05)
json.dump(1, open("r.json", "w"))
`;

interface Counted {
  count: number;
  began: number[];
}

/** A matrix of chunks that run `script` with `argument` and their number. */
function describeMatrix(script: string, chunks: number, argument: number) {
  const args = [`${argument}`, "{n}"];
  return { kind: "matrix", matrix: { n: [0, chunks] }, script, args, outputs: ["r.json"] };
}

/** Starts a run of counters, which keep a state and do not end before `release`. */
async function count(name: string, chunks: number, to: number, keys: object = {}) {
  shop.write(`${name}/c.py`, COUNTER);
  await node.exec(["touch", "/var/tmp/hold"]);
  const matrix = describeMatrix("c.py", chunks, to);
  const retry = { attempts: 1 };
  const file = shop.write(`${name}/job.yaml`, { name, ...matrix, state: true, grace: "20s", retry, ...keys });
  return {
    file,
    run: join(shop.folder, name, "runs", name),
    ...watchMuster(startMuster(["run", file, "-i", inventory])),
  };
}

const release = () => node.exec(["rm", "/var/tmp/hold"]);

/** Starts a run of higher priority. */
function sleep(name: string, chunks: number, seconds: number, keys: object = {}) {
  shop.write(`${name}/s.py`, SLEEPER);
  const matrix = describeMatrix("s.py", chunks, seconds);
  const file = shop.write(`${name}/job.yaml`, { name, ...matrix, priority: 10, ...keys });
  return {
    file,
    run: join(shop.folder, name, "runs", name),
    ...watchMuster(startMuster(["run", file, "-i", inventory])),
  };
}

const counted = (run: string): Counted[] =>
  readFileSync(join(run, "results.ndjson"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { output: Counted }).output);
const busy = (script: string, count: number) =>
  node.processes().filter(({ argv }) => argv.some((word) => word.endsWith(script))).length === count;
const preemptions = (run: string) =>
  readJournal(run).flatMap((entry) => (entry.e === "stopped" && entry.why === "preempted" ? [entry] : []));

t.test(
  "a run of higher priority gets the GPUs of chunks with state, which go on later where they were",
  { skip },
  async (t) => {
    const low = await count("low", 2, 20);
    await waitUntil("both count", () => busy("c.py", 2), 30);
    await node.exec(["sh", "-c", "echo 4 > /var/tmp/slow"]);
    const high = sleep("high", 2, 3);
    await waitUntil("chunks are being ended", () => low.stderr().includes("ends for run high"));
    await waitUntil("the live view says so", () =>
      readFileSync(join(low.run, "live.json"), "utf8").includes('"preemptedBy":"high"'),
    );
    await waitUntil("the other run works", () => busy("s.py", 2));
    const explain = async () => (await runMuster(["why", low.run, "n=0"])).out;
    await waitUntil("why says so", async () => (await explain()).includes("it waits for run high"));
    t.match(await explain(), /attempt 1: stopped .* \(preempted by run high\)/);
    await release();
    const [first, second] = [await high.ended, await low.ended];
    t.equal(first.code, 0, first.err);
    t.equal(second.code, 0, second.err);
    t.match(first.err, "waits for run low, which ends its chunk within 20 s");
    t.match(second.err, "waits for run high");
    for (const { count, began } of counted(low.run)) {
      t.ok(count >= 20);
      t.equal(began.length, 2, `it ran twice: ${began}`);
      t.ok(began[1]! >= 20, `it went on at ${began[1]}`);
    }
    const entries = preemptions(low.run);
    t.same(
      entries.map(({ by, attempt }) => ({ by, attempt })),
      [
        { by: "high", attempt: 1 },
        { by: "high", attempt: 1 },
      ],
    );
    const [stopped, continued] = (await explain()).split("\n").filter((line) => line.startsWith("  attempt 1"));
    t.match(stopped, /^ {2}attempt 1: stopped after .* \(preempted by run high\)/);
    t.match(continued, /^ {2}attempt 1, continued: done in /);
    const report = await runMuster(["report", low.run]);
    t.match(report.out, "2 attempts preempted");
    t.match(report.out, "preempted by run high");
    t.notOk(existsSync(join(low.run, "state")), "no state is left");
    t.equal(preemptions(high.run).length, 0);
    await node.exec(["rm", "/var/tmp/slow"]);
  },
);

t.test("a chunk on two GPUs gives way, and takes both again", { skip }, async (t) => {
  const low = await count("wide", 1, 20, { needs: { gpus: 2 } });
  await waitUntil("it counts", () => busy("c.py", 1), 30);
  const high = sleep("narrow", 1, 1);
  await waitUntil("the chunk is being ended", () => low.stderr().includes("ends for run narrow"));
  await release();
  const [first, second] = [await high.ended, await low.ended];
  t.equal(first.code, 0, first.err);
  t.equal(second.code, 0, second.err);
  t.match(second.err, "on slots 0-1 ends for run narrow");
  t.equal(counted(low.run)[0]!.began.length, 2);
});

t.test(
  "a coordinator of high priority that is killed while chunks end: all chunks of both runs are done",
  { skip },
  async (t) => {
    await node.exec(["sh", "-c", "echo 4 > /var/tmp/slow"]);
    const low = await count("low2", 2, 20);
    await waitUntil("both count", () => busy("c.py", 2), 30);
    const high = sleep("high2", 2, 1);
    await waitUntil("chunks are being ended", () => low.stderr().includes("ends for run high2"));
    await release();
    high.child.kill("SIGKILL");
    await high.ended;
    const ended = await low.ended;
    t.equal(ended.code, 0, ended.err);
    for (const { count, began } of counted(low.run)) t.ok(count >= 20 && began.length >= 2, `${began}`);
    const again = await runMuster(["run", high.file, "-i", inventory]);
    t.equal(again.code, 0, again.err);
    await node.exec(["rm", "/var/tmp/slow"]);
  },
);

for (const victim of ["high", "low"])
  t.test(`the agent of the ${victim} priority is killed while chunks end: all chunks are done`, { skip }, async (t) => {
    await node.exec(["sh", "-c", "echo 4 > /var/tmp/slow"]);
    const low = await count(`low-${victim}`, 2, 20, { retry: { attempts: 3, backoff: "100ms" } });
    await waitUntil("both count", () => busy("c.py", 2), 30);
    const high = sleep(`high-${victim}`, 2, 1);
    await waitUntil("chunks are being ended", () => low.stderr().includes("ends for run high"));
    const { pid } = node.processes().find(({ argv }) => argv.at(-1)?.includes(`/runs/${victim}-${victim}-`))!;
    process.kill(pid, "SIGKILL");
    await release();
    const [first, second] = [await high.ended, await low.ended];
    t.equal(first.code, 0, first.err);
    t.equal(second.code, 0, second.err);
    for (const { count } of counted(low.run)) t.ok(count >= 20);
    await node.exec(["rm", "/var/tmp/slow"]);
    await checkNodes(t, nodes);
  });

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startMuster } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkCommitted, checkNodes, checkResults, countRepeatedChunks, listFiles } from "./checks.js";
import { KnownJob, watchMuster } from "./knownjob.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 4 }, "looking into nodes");

const aggregate = { from: "r.json", as: "lines", to: "all.ndjson" };

/** Steps from the first attachment on, in the order of a chunk's life; while chunks are left, each is passed again. */
const steps = ["attached", "sent-open", "sent-put", "sent-start", "started", "done", "pulled", "written", "published"];
steps.push("lined", "recorded", "journaled", "sent-ack", "written:3", "recorded:4", "sent-ack:2");
/** Steps of the end, once all chunks are committed. */
const ending = ["sorted", "aggregated", "summarized", "closing", "closed"];

t.test("the coordinator is killed at every step of the commit protocol", { skip }, async (t) => {
  const job = new KnownJob(shop, "steps", { chunks: 240, seconds: 0.15, size: 40_000, job: { aggregate } });
  for (const step of [...steps, "sent-stop", ...ending]) {
    const killed = job.start(["-i", inventory], { MUSTER_KILL_AT: step });
    const { err } = await killed.ended;
    t.equal(killed.child.signalCode, "SIGKILL", `killed at ${step}${killed.child.signalCode ? "" : `: ${err}`}`);
    checkCommitted(t, job, step);
  }
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.equal(readFileSync(join(job.run, "all.ndjson"), "utf8"), `${job.chunks.map((n) => job.expected(n)).join("\n")}\n`);
  t.same(countRepeatedChunks(job, lab.nodes), {}, "every chunk was executed once");
  await checkNodes(t, lab.nodes);
});

t.test("a coordinator that is killed while chunks run finds them done when it returns", { skip }, async (t) => {
  const job = new KnownJob(shop, "away", { chunks: 8, gate: true });
  const { child, ended } = job.start(["-i", inventory]);
  await waitUntil("all chunks run", () => job.listExecutions(lab.nodes).length === 8);
  child.kill("SIGKILL");
  await ended;
  job.openGate(lab.nodes);
  await waitUntil("all chunks have ended", () => job.listExecutions(lab.nodes).every((one) => one.ended));
  const ran = await job.muster(["-i", inventory, "--json"]);
  t.equal(ran.code, 0, ran.err);
  t.equal(JSON.parse(ran.out).session.attempts, 0, "nothing was started again");
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {});
  await checkNodes(t, lab.nodes);
});

/** Notes each seed that it is given, and answers with the square of each. */
const SEEDS = `#!/usr/bin/python3 -IS
import json, sys, time
start, end = int(sys.argv[1]), int(sys.argv[2])
with open("/var/tmp/seeds", "a") as file:
    file.write("".join("%d\\n" % seed for seed in range(start, end)))
time.sleep(0.1)
json.dump([seed * seed for seed in range(start, end)], open("r.json", "w"))
`;

/** Writes a job that squares each of `count` units, in a folder of its name. Returns the path of the job file. */
function writeSquaresJob(name: string, count: number, keys: Record<string, unknown> = {}): string {
  shop.write(`${name}/seeds.py`, SEEDS, 0o755);
  return shop.write(`${name}/job.yaml`, {
    name,
    kind: "range",
    range: [0, count],
    chunk: { base: 10, min: 5, max: 40 },
    script: "seeds.py",
    args: ["{start}", "{end}"],
    outputs: ["r.json"],
    ...keys,
  });
}

t.test(
  "a range whose chunks are split differently each time: every unit once, with its square",
  { skip },
  async (t) => {
    const job = writeSquaresJob("squares", 6000, {
      collect: "lines",
      aggregate: { from: "r.json", as: "array", to: "squares.json" },
    });
    const run = join(shop.folder, "squares/runs/squares");
    for (const step of ["journaled:3", "sent-start:9", "recorded:5", "sent-ack:4", "lined:2", "done:5"]) {
      const killed = watchMuster(startMuster(["run", job, "-i", inventory], { env: { MUSTER_KILL_AT: step } }));
      await killed.ended;
      if (killed.child.signalCode !== "SIGKILL") t.fail(`not killed at ${step}: ${killed.stderr()}`);
    }
    const ran = await watchMuster(startMuster(["run", job, "-i", inventory])).ended;
    t.equal(ran.code, 0, ran.err);
    const squares = JSON.parse(readFileSync(join(run, "squares.json"), "utf8"));
    t.same(
      squares,
      Array.from({ length: 6000 }, (_, seed) => seed * seed),
    );
    const noted = lab.nodes.flatMap((node) =>
      readFileSync(join(node.root, "var/tmp/seeds"), "utf8").trim().split("\n"),
    );
    t.equal(noted.length, 6000, "every seed was computed once");
    t.equal(new Set(noted).size, 6000);
    await checkNodes(t, lab.nodes);
  },
);

t.test(
  "results of a range that were published but not journaled, and are lost on their nodes, are removed",
  { skip },
  async (t) => {
    const job = writeSquaresJob("stale", 600);
    const run = join(shop.folder, "stale/runs/stale");
    const killed = watchMuster(startMuster(["run", job, "-i", inventory], { env: { MUSTER_KILL_AT: "published:8" } }));
    await killed.ended;
    const published = listFiles(join(run, "results")).length;
    for (const node of lab.nodes) {
      await node.powerCycle();
      rmSync(join(node.root, "root/.muster"), { recursive: true });
    }
    const ran = await watchMuster(startMuster(["run", job, "-i", inventory])).ended;
    t.equal(ran.code, 0, ran.err);
    const lines = readFileSync(join(run, "results.ndjson"), "utf8").trimEnd().split("\n");
    const wanted = lines.map((line) => `${JSON.parse(line).chunk}/r.json`);
    t.ok(published > 0, `${published} results had been published`);
    t.same(listFiles(join(run, "results")), wanted.sort());
    await checkNodes(t, lab.nodes);
  },
);

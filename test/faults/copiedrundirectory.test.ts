import { cpSync, renameSync, rmSync, statSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { runMuster } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, checkResults, committedChunks } from "./checks.js";
import { KnownJob } from "./knownjob.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 1, gpus: 0 }, "looking into nodes");
const words = ["-i", inventory];
const SUPERSEDED = /another copy of this run directory has continued since/;

/** A job that was interrupted with chunks done, running and queued. */
async function interrupted(name: string): Promise<KnownJob> {
  const job = new KnownJob(shop, name, { chunks: 24, seconds: 0.3 });
  const { child, ended } = job.start(words);
  await waitUntil("some chunks are done", () => committedChunks(job.run).length >= 4);
  child.kill("SIGINT");
  await ended;
  return job;
}

async function checkComplete(t: Test, job: KnownJob, ran: { code: number | null; err: string }): Promise<void> {
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
}

t.test(
  "both copies of a run directory continue at the same time: neither publishes results of the other",
  { skip },
  async (t) => {
    const job = await interrupted("both");
    const copy = job.copy("both-copy");
    const [one, other] = await Promise.all([job.muster(words), copy.muster(words)]);
    const [first, late] = one.code === 0 ? [job, copy] : [copy, job];
    t.same([one.code, other.code].sort(), [0, 75], `${one.err}\n${other.err}`);
    const refused = one.code === 75 ? one : other;
    t.match(refused.out + refused.err, SUPERSEDED);
    t.match(refused.out + refused.err, /--adopt/);
    checkResults(t, first);
    // The agents of the other copy are gone, so nothing is in the way.
    await checkComplete(t, late, await late.muster(words));
    await checkNodes(t, lab.nodes);
  },
);

t.test("--adopt stops the agents of the other copy, which then computes its chunks again", { skip }, async (t) => {
  const job = await interrupted("adopt");
  const copy = job.copy("adopt-copy");
  const running = copy.start(words);
  const before = committedChunks(copy.run).length;
  await waitUntil("the copy has continued", () => committedChunks(copy.run).length > before);
  running.child.kill("SIGINT");
  await running.ended;
  const refused = await job.muster([...words, "--json"]);
  t.equal(refused.code, 75, refused.err);
  t.match(JSON.parse(refused.out), { state: "superseded", error: SUPERSEDED, next: /--adopt/ });
  await checkComplete(t, job, await job.muster([...words, "--adopt"]));
  await checkNodes(t, lab.nodes);
  await checkComplete(t, copy, await copy.muster(words));
  await checkNodes(t, lab.nodes);
});

t.test("a copy of a running run directory takes its agents over, and the original stops", { skip }, async (t) => {
  const job = new KnownJob(shop, "live", { chunks: 24, seconds: 0.3, gate: true });
  job.openGate(lab.nodes);
  const original = job.start(words);
  await waitUntil("some chunks are done", () => committedChunks(job.run).length >= 4);
  job.closeGate(lab.nodes);
  const copy = job.copy("live-copy");
  const continued = copy.start(words);
  const stopped = await original.ended;
  t.equal(stopped.code, 75, stopped.err);
  t.match(stopped.out + stopped.err, SUPERSEDED);
  job.openGate(lab.nodes);
  await checkComplete(t, copy, await continued.ended);
  await checkComplete(t, job, await job.muster(words));
  await checkNodes(t, lab.nodes);
});

t.test("a backup of a run directory, restored over it, is refused until its agents are gone", { skip }, async (t) => {
  const job = await interrupted("backup");
  const backup = join(dirname(job.run), "saved");
  cpSync(job.run, backup, { recursive: true });
  const again = job.start(words);
  const before = committedChunks(job.run).length;
  await waitUntil("it has continued", () => committedChunks(job.run).length > before);
  again.child.kill("SIGINT");
  await again.ended;
  rmSync(job.run, { recursive: true });
  renameSync(backup, job.run);
  const refused = await job.muster(words);
  t.equal(refused.code, 75, refused.err);
  const cancelled = await runMuster(["cancel", job.run, ...words]);
  t.equal(cancelled.code, 3, cancelled.err);
  t.match(cancelled.out + cancelled.err, SUPERSEDED, "and cancel ends nothing that is not its own");
  await checkComplete(t, job, await job.muster([...words, "--adopt"]));
  await checkNodes(t, lab.nodes);
});

t.test("a run directory that was moved continues", { skip }, async (t) => {
  const job = await interrupted("moved");
  const moved = join(dirname(job.run), "elsewhere");
  renameSync(job.run, moved);
  job.run = moved;
  await checkComplete(t, job, await job.muster(words));
  t.equal(statSync(join(moved, ".key")).mode & 0o777, 0o600, "nobody else may read the key");
  await checkNodes(t, lab.nodes);
});

t.test("a run that lost its key computes again what it cannot verify", { skip }, async (t) => {
  const job = await interrupted("key");
  unlinkSync(join(job.run, ".key"));
  await checkComplete(t, job, await job.muster(words));
  await checkNodes(t, lab.nodes);
});

t.test("a run whose results differ from the journal is not called complete", { skip }, async (t) => {
  const job = new KnownJob(shop, "damaged", { chunks: 4 });
  await checkComplete(t, job, await job.muster(words));
  unlinkSync(join(job.run, "results/n=2/r.json"));
  const ran = await job.muster(words);
  t.equal(ran.code, 65, ran.err);
  t.match(ran.err, /results\/n=2\/r\.json is missing/);
  t.match(ran.err, /--fresh/);
});

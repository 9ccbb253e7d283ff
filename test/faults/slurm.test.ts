import { existsSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { checkCluster, shareSlurm, writeClusterInventory } from "../cli/slurmlab.js";
import { runMuster } from "../cli/startmuster.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkResults, committedChunks } from "./checks.js";
import { KnownJob, type KnownJobOptions } from "./knownjob.js";

const cluster = await shareSlurm(t, 2, { cpus: 8 });
const { skip, shop, slurm } = cluster;
const inventory = skip ? "" : writeClusterInventory(cluster, { cpus: 4, pilots: 2 });

function makeJob(name: string, options: KnownJobOptions): KnownJob {
  return new KnownJob(shop, name, options);
}

/** How often chunks were begun beyond once each. */
function countRepeats(job: KnownJob): number {
  return job.listExecutions(slurm.compute).length - job.chunks.length;
}

async function untilWorking(job: KnownJob): Promise<void> {
  await waitUntil("chunks run", () => job.listRunning(slurm.compute).length >= 8, 60);
}

/** The run is complete with every result once, and nothing is left. */
async function checkEnd(t: Test, job: KnownJob, mostRepeats: number): Promise<void> {
  checkResults(t, job);
  const repeats = countRepeats(job);
  t.ok(repeats <= mostRepeats, `${repeats} chunks were begun again, at most ${mostRepeats}`);
  await checkCluster(t, cluster);
}

/** `muster status` names the pilots that an interrupted run has left. */
async function checkStatus(t: Test, job: KnownJob, pilots: number): Promise<void> {
  const status = JSON.parse((await runMuster(["status", job.run, "--json"])).out);
  t.equal(status.pilots?.length ?? 0, pilots, "pilots that may wait or run");
  const text = (await runMuster(["status", job.run])).out;
  t.equal(/may wait or run in a queue: hpc\/\d+, hpc\/\d+; to end them: muster cancel/.test(text), pilots > 0, text);
}

for (const step of ["pilot-journaled", "pilot-submitted", "pilot-recorded", "pilot-submitted:2"]) {
  t.test(`a coordinator that was killed at ${step} is resumed`, { skip }, async (t) => {
    const job = makeJob(`resumed-${step.replace(":", "-")}`, { chunks: 16, seconds: 0.2 });
    const killed = await job.muster(["-i", inventory], { MUSTER_KILL_AT: step });
    t.equal(killed.code, null);
    const ran = await job.muster(["-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    await checkEnd(t, job, 0);
  });

  t.test(`a coordinator that was killed at ${step} leaves nothing after cancel`, { skip }, async (t) => {
    const job = makeJob(`cancelled-${step.replace(":", "-")}`, { chunks: 16, seconds: 0.2 });
    await job.muster(["-i", inventory], { MUSTER_KILL_AT: step });
    const cancelled = await runMuster(["cancel", job.run]);
    t.equal(cancelled.code, 0, cancelled.err);
    await checkCluster(t, cluster);
  });
}

t.test("a coordinator that was killed while chunks run takes its pilots over again", { skip }, async (t) => {
  const job = makeJob("taken", { chunks: 24, gate: true });
  const first = job.start(["-i", inventory]);
  await untilWorking(job);
  first.child.kill("SIGKILL");
  await first.ended;
  await checkStatus(t, job, 2);
  const second = job.start(["-i", inventory]);
  await waitUntil("its pilots are back", () => (second.stderr().match(/hpc\/\d+: 4 slots/g) ?? []).length === 2, 60);
  job.openGate(slurm.compute);
  const ran = await second.ended;
  t.equal(ran.code, 0, ran.err);
  await checkEnd(t, job, 0);
});

t.test("results that pilots hold are collected by cancel", { skip }, async (t) => {
  const job = makeJob("held", { chunks: 8, gate: true });
  const first = job.start(["-i", inventory]);
  await untilWorking(job);
  first.child.kill("SIGINT");
  await first.ended;
  await checkStatus(t, job, 2);
  job.openGate(slurm.compute);
  await waitUntil("all have ended", () => job.listRunning(slurm.compute).length === 0, 30);
  const cancelled = await runMuster(["cancel", job.run]);
  t.equal(cancelled.code, 0, cancelled.err);
  t.equal(committedChunks(job.run).length, 8, cancelled.out);
  await checkStatus(t, job, 0);
  await checkCluster(t, cluster);
});

t.test("a pilot that an administrator cancels is replaced, and its chunks run elsewhere", { skip }, async (t) => {
  const job = makeJob("scancelled", { chunks: 40, seconds: 0.5 });
  const run = job.start(["-i", inventory]);
  await untilWorking(job);
  const [victim] = await slurm.squeue();
  await slurm.scancel(victim!.id);
  const ran = await run.ended;
  t.equal(ran.code, 0, ran.err);
  t.match(ran.err, new RegExp(`hpc/${victim!.id}: ended: its allocation is over: cancelled`));
  await checkEnd(t, job, 4);
});

t.test("a run goes on while the controller of Slurm is down", { skip }, async (t) => {
  const job = makeJob("controller", { chunks: 24, gate: true });
  const run = job.start(["-i", inventory]);
  await untilWorking(job);
  await slurm.storeState();
  await slurm.kill("slurmctld");
  job.openGate(slurm.compute);
  await waitUntil(
    "all have run",
    () => job.listExecutions(slurm.compute).filter(({ ended }) => ended).length === 24,
    60,
  );
  const ran = await run.ended;
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.equal(countRepeats(job), 0);
  await slurm.start("slurmctld");
  if (/may still hold/.test(ran.err + ran.out)) {
    const status = await runMuster(["status", job.run]);
    t.equal(status.code, 0, status.err);
  }
  await checkCluster(t, cluster);
});

t.test("a node that goes down takes its chunks with it, and they run elsewhere", { skip }, async (t) => {
  const job = makeJob("down", { chunks: 40, gate: true });
  const run = job.start(["-i", inventory]);
  await untilWorking(job);
  await slurm.down(slurm.compute[0]!);
  job.openGate(slurm.compute);
  const ran = await run.ended;
  t.equal(ran.code, 0, ran.err);
  await checkEnd(t, job, 8);
});

t.test("no agent outlives its coordinator by more than its lease", { skip }, async (t) => {
  const short = writeClusterInventory(cluster, { cpus: 4, pilots: 2, lease: "8s" }, { file: "short.yaml" });
  const job = makeJob("leased", { chunks: 24, gate: true });
  const first = job.start(["-i", short]);
  await untilWorking(job);
  first.child.kill("SIGKILL");
  await first.ended;
  await checkCluster(t, cluster);
  job.openGate(slurm.compute);
  const ran = await job.muster(["-i", short]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  await checkCluster(t, cluster);
});

t.test("a pilot that cannot load a module, or whose setup fails, says so", { skip }, async (t) => {
  const broken = writeClusterInventory(cluster, { setup: ["true", "ls /nonexistent"] }, { file: "broken.yaml" });
  const job = makeJob("setup", { chunks: 1 });
  const run = job.start(["-i", broken]);
  const said = /hpc: pilot \d+ could not work on \w+: setup failed there: ls \/nonexistent/;
  await waitUntil("it says so", () => said.test(run.stderr()), 60);
  run.child.kill("SIGINT");
  await run.ended;
  const cancelled = await runMuster(["cancel", job.run]);
  t.equal(cancelled.code, 0, cancelled.err);
  await checkCluster(t, cluster);
});

t.test("what Slurm refuses is told in its own words, with the place in the inventory", { skip }, async (t) => {
  const unknown = writeClusterInventory(cluster, { partition: "nope" }, { file: "unknown.yaml" });
  const job = makeJob("refused", { chunks: 1 });
  const ran = await job.muster(["-i", unknown]);
  t.equal(ran.code, 69, ran.err);
  t.match(ran.err, /hpc: sbatch: .*[Ii]nvalid partition/);
  t.match(ran.err, /Change `partition` of hpc in the inventory \(.*unknown\.yaml:\d+:\d+\)/);
  t.notOk(existsSync(join(job.run, "live.json")));
  await checkCluster(t, cluster);
});

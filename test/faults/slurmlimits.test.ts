import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { checkCluster, shareSlurm, writeClusterInventory } from "../cli/slurmlab.js";
import { runMuster, startMuster } from "../cli/startmuster.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkResults, readJournal } from "./checks.js";
import { KnownJob, watchMuster } from "./knownjob.js";

const partitions = [
  { name: "cheap", tier: 1 },
  { name: "urgent", tier: 2 },
];
const cluster = await shareSlurm(
  t,
  2,
  { cpus: 4, partitions, preempt: "cancel", maxSubmitJobs: 2, killWaitSeconds: 10 },
  { banner: "Welcome to the cluster!\nModules: loaded" },
);
const { skip, shop, slurm } = cluster;

t.test(
  "a limit on submitted jobs leaves the pilots that there are, and a login shell may print",
  { skip },
  async (t) => {
    const inventory = writeClusterInventory(cluster, { cpus: 2, pilots: 4, partition: "cheap" });
    const job = new KnownJob(shop, "limited", { chunks: 30, seconds: 0.5 });
    const ran = await job.muster(["-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    t.match(ran.err, /hpc: no further pilot for now: sbatch: .*AssocMaxSubmitJobLimit/);
    checkResults(t, job);
    await checkCluster(t, cluster);
  },
);

t.test("a preempted pilot hands over the state of its chunks, which continue elsewhere", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, { cpus: 4, pilots: 1, partition: "cheap" });
  const job = shop.write("preempted/job.yaml", {
    name: "preempted",
    kind: "tasks",
    tasks: [{ id: "long", script: "count.py" }],
    state: true,
    grace: "5s",
    outputs: ["steps.txt"],
  });
  shop.write(
    "preempted/count.py",
    `import os, signal, sys, time
state = os.environ["MUSTER_STATE"]
def load():
    try:
        return int(open(os.path.join(state, open(os.path.join(state, "current")).read().strip(), "step")).read())
    except FileNotFoundError:
        return 0
first = step = load()
def save(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    name = f"at-{step}"
    os.makedirs(os.path.join(state, name))
    open(os.path.join(state, name, "step"), "w").write(str(step))
    open(os.path.join(state, "next"), "w").write(name)
    os.rename(os.path.join(state, "next"), os.path.join(state, "current"))
    sys.exit(1)
signal.signal(signal.SIGTERM, save)
open("/var/tmp/began", "a").write(f"{step}\\n")
while step < 100:
    time.sleep(0.1)
    step += 1
open("steps.txt", "w").write(f"{first} {step}")
`,
  );
  const run = watchMuster(startMuster(["run", job, "-i", inventory]));
  const began = () => slurm.compute.map((node) => join(node.root, "var/tmp/began")).flatMap(readLines);
  await waitUntil("it runs", () => began().length === 1, 60);
  await waitUntil("it has done some steps", async () => (await slurm.squeue()).length === 1, 10);
  const pilot = (await slurm.squeue())[0]!;
  const urgent = await slurm.submit("#!/bin/sh\nsleep 5\n", ["-p", "urgent", "-w", pilot.nodes, "--exclusive"]);
  const ran = await run.ended;
  t.equal(ran.code, 0, ran.err);
  const [first, last] = shop.read("preempted/runs/preempted/results/steps.txt").split(" ").map(Number);
  t.ok(first! > 0, "it has continued from its state");
  t.equal(last, 100);
  await slurm.scancel(urgent).catch(() => {});
  await checkCluster(t, cluster);
});

t.test(
  "a time limit in mid-chunk: states are kept, and a chunk is not begun that would not end",
  { skip },
  async (t) => {
    const inventory = writeClusterInventory(cluster, { cpus: 2, pilots: 2, partition: "cheap", time: "1m" });
    const job = new KnownJob(shop, "short", { chunks: 30, seconds: 6 });
    const ran = await job.muster(["-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    checkResults(t, job);
    const repeats = job.listExecutions(slurm.compute).length - 30;
    t.ok(repeats <= 4, `${repeats} chunks were cut off by a time limit`);
    const pilots = readJournal(job.run).filter((one) => one.e === "pilot" && one.state === "running");
    t.ok(pilots.length > 2, "further pilots took over");
    await checkCluster(t, cluster);
  },
);

t.test("the login node's sshd goes away and comes back", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, { cpus: 4, pilots: 2, partition: "cheap" });
  const job = new KnownJob(shop, "login", { chunks: 24, gate: true });
  const run = job.start(["-i", inventory]);
  await waitUntil("chunks run", () => job.listRunning(slurm.compute).length >= 8, 60);
  await slurm.login.dropConnections();
  await slurm.login.restartSshd();
  job.openGate(slurm.compute);
  const ran = await run.ended;
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.equal(job.listExecutions(slurm.compute).length, 24, "no chunk was begun twice");
  await checkCluster(t, cluster);
});

t.test("munged is killed on every node while chunks run: it is said, and the run goes on", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, { cpus: 4, pilots: 2, partition: "cheap" });
  const job = new KnownJob(shop, "munge", { chunks: 24, gate: true });
  const run = job.start(["-i", inventory]);
  await waitUntil("chunks run", () => job.listRunning(slurm.compute).length >= 8, 60);
  const nodes = [slurm.login, ...slurm.compute];
  for (const node of nodes) await slurm.kill("munged", node);
  const said = /hpc: its queue cannot be looked at \(squeue.*Munge encode failed/;
  await waitUntil("it says so", () => said.test(run.stderr()), 150);
  for (const node of nodes) await slurm.start("munged", node);
  job.openGate(slurm.compute);
  const ran = await run.ended;
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.equal(job.listExecutions(slurm.compute).length, 24, "no chunk was begun twice");
  await checkCluster(t, cluster);
});

t.test("no python3 on the compute nodes: each of them is tried once, and then any", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, { partition: "cheap", pilots: 1, python: "/opt/none/python3" });
  const ran = await new KnownJob(shop, "python", { chunks: 1 }).muster(["-i", inventory]);
  t.equal(ran.code, 69, ran.err);
  for (const { name } of slurm.compute)
    t.match(ran.err, `could not work on ${name}: there is no /opt/none/python3 on the compute node`);
  t.match(ran.err, /3 pilots in a row could not work \(on compute\d, compute\d\): there is no/);
  await checkCluster(t, cluster);
});

t.test("one node that cannot work is named, and left out", { skip }, async (t) => {
  const python = "/opt/one/python3";
  const healthy = slurm.compute[1]!;
  await healthy.exec(["sh", "-c", "mkdir -p /opt/one && ln -s /usr/bin/python3 /opt/one/"]);
  const inventory = writeClusterInventory(cluster, { cpus: 2, pilots: 2, partition: "cheap", python });
  const job = new KnownJob(shop, "onebad", { chunks: 8, seconds: 0.2 });
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.match(ran.err, /could not work on compute1: there is no .*; further ones go to other nodes \(failure 1 of 3\)/);
  checkResults(t, job);
  await checkCluster(t, cluster);
});

t.test("the controller is down at the end: it is said, and status ends what is left", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, { cpus: 4, pilots: 1, partition: "cheap" });
  const job = new KnownJob(shop, "left", { chunks: 4, gate: true });
  const run = job.start(["-i", inventory]);
  await waitUntil("chunks run", () => job.listRunning(slurm.compute).length === 4, 60);
  await slurm.kill("slurmctld");
  job.openGate(slurm.compute);
  const ran = await run.ended;
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.match(ran.err + ran.out, /hpc\/\d+ may still hold work of this run: squeue: .*Unable to contact slurm controller/);
  await slurm.start("slurmctld");
  const status = await runMuster(["status", job.run]);
  t.equal(status.code, 0, status.err);
  t.notMatch(status.out, /may still hold/);
  await checkCluster(t, cluster);
});

function readLines(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
}

import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { checkResults } from "../faults/checks.js";
import { KnownJob } from "../faults/knownjob.js";
import type { LabNode } from "../lab/lab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkCluster, shareSlurm, writeClusterInventory } from "./slurmlab.js";
import { runMuster } from "./startmuster.js";

const cluster = await shareSlurm(t, 2, { gpus: 2 }, { gpus: 2, vendor: "nvidia" });
const { skip, shop, slurm } = cluster;

/** The environment in which the compute nodes are these machines for ssh. */
function writeSshConfig(machines: readonly LabNode[]): Record<string, string> {
  const entry = ({ host, port }: LabNode, index: number) =>
    `Host compute${index + 1}\n  HostName ${host}\n  Port ${port}\n`;
  return { MUSTER_SSH_CONFIG: shop.write("ssh_config", machines.map(entry).join("")) };
}

/** Has the login node refuse all steps of Slurm. */
function refuseSteps(): { undo(): void } {
  const srun = join(slurm.login.root, "usr/local/bin/srun");
  writeFileSync(srun, "#!/bin/sh\necho 'srun: error: Unable to create step: Access/permission denied' >&2\nexit 1\n");
  chmodSync(srun, 0o755);
  return { undo: () => rmSync(srun) };
}

function writeJob(name: string): string {
  return shop.write(`${name}/job.yaml`, {
    name,
    kind: "matrix",
    matrix: { n: [0, 12] },
    command: ["sh", "-c", 'sleep 0.2; echo "$(hostname) $CUDA_VISIBLE_DEVICES $MUSTER_GPU_PCI" | tee seen'],
    needs: { gpus: 1 },
    outputs: ["seen"],
  });
}

t.test("where srun may not be used, pilots are reached over SSH through the login node", { skip }, async (t) => {
  const env = writeSshConfig(slurm.compute);
  const refusal = refuseSteps();
  t.teardown(() => refusal.undo());
  const inventory = writeClusterInventory(cluster, { gres: "gpu:1", pilots: 4 });
  const ran = await runMuster(["run", writeJob("jump"), "-i", inventory], { env });
  t.equal(ran.code, 0, ran.err);
  const seen = Array.from({ length: 12 }, (_, n) => shop.read(`jump/runs/jump/results/n=${n}/seen`).trim());
  for (const line of seen) t.match(line, /^compute[12] (0 0000:03:00\.0|1 0000:06:00\.0)$/);
  await checkCluster(t, cluster);
  const trial = await runMuster(["doctor", "hpc", "--submit", "-v", "-i", inventory], { env });
  t.match(trial.out.replace(/\s+/g, " "), /ran on compute\d with Python \S+, reached over SSH because srun does not/);
  await checkCluster(t, cluster);
});

t.test("over SSH, too, chunks of a pilot that is cancelled go to others", { skip }, async (t) => {
  const env = writeSshConfig(slurm.compute);
  const refusal = refuseSteps();
  t.teardown(() => refusal.undo());
  const inventory = writeClusterInventory(cluster, { cpus: 2, pilots: 2 });
  const job = new KnownJob(shop, "cancelled", { chunks: 12, seconds: 0.5, gate: true });
  const running = job.muster(["-i", inventory], env);
  await waitUntil("four chunks run", () => job.listRunning(slurm.compute).length === 4, 60);
  const [first] = await slurm.squeue();
  await slurm.scancel(first!.id);
  job.openGate(slurm.compute);
  const ran = await running;
  t.equal(ran.code, 0, ran.err);
  t.match(ran.err, /ended: its allocation is over: cancelled/);
  checkResults(t, job);
  await checkCluster(t, cluster);
});

t.test("where neither works, the error has both reasons", { skip }, async (t) => {
  const env = writeSshConfig(slurm.compute.map((node) => ({ ...node, host: node.host, port: 1 }) as LabNode));
  const refusal = refuseSteps();
  t.teardown(() => refusal.undo());
  const inventory = writeClusterInventory(cluster, { gres: "gpu:1", pilots: 1 });
  const trial = await runMuster(["doctor", "hpc", "--submit", "-i", inventory], { env });
  t.not(trial.code, 0);
  const text = trial.out.replace(/\s+/g, " ");
  t.match(text, /by a step of Slurm: the relay ended with exit code 1: srun: error: Unable to create step/);
  t.match(text, /over SSH to compute\d: connect to rig@\S+:1: .*refused/);
  t.match(text, /make one of the two possible: `srun --overlap` on the login node/);
  await checkCluster(t, cluster);
});

t.test("a pilot whose compute node is not known is given back at once", { skip }, async (t) => {
  const env = { MUSTER_SSH_CONFIG: shop.write("no_config", "") };
  const refusal = refuseSteps();
  t.teardown(() => refusal.undo());
  const inventory = writeClusterInventory(cluster, { cpus: 2, pilots: 1 });
  const job = new KnownJob(shop, "unknown", { chunks: 2 });
  const run = job.start(["-i", inventory], env);
  await waitUntil(
    "it is given back",
    () => /hpc: pilot \d+ could not work on compute\d: reach its compute node/.test(run.stderr()),
    60,
  );
  t.match(
    run.stderr(),
    /refused: reach its compute node: by a step of Slurm: .*; over SSH to compute\d: .* the host key/,
  );
  run.child.kill("SIGINT");
  await run.ended;
  t.equal((await runMuster(["cancel", job.run], { env })).code, 0);
  await checkCluster(t, cluster);
});

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { SQUEUE } from "../fleet/engines/slurmoutputs.js";
import { type Lab, type LabNode, startLab } from "./lab.js";
import { lackingSlurm } from "./requirements.js";
import { type Slurm, startSlurm } from "./slurm.js";
import { waitUntil } from "./waituntil.js";

/** A job that says in its home that it lives, and which signals it and a child of it get. */
const JOB = `#!/bin/bash
trap 'echo batch TERM >> ~/signals.$SLURM_JOB_ID' TERM
bash -c 'trap "echo child TERM >> ~/signals.$SLURM_JOB_ID" TERM; while :; do sleep 0.1; done' &
while :; do sleep 0.1; date +%s.%N > ~/alive.$SLURM_JOB_ID; done
`;

const skip = lackingSlurm();
if (skip) t.pass("no Slurm", { skip });
else await tests();

async function tests(): Promise<void> {
  const lab: Lab = await startLab({ nodes: 3, user: "rig", gpus: 0 });
  t.teardown(() => lab.stop());
  const slurm = await startSlurm(lab, { gpus: 0, slurmdTimeoutSeconds: 6, minJobAgeSeconds: 2 });
  t.teardown(() => slurm.stop());
  await t.test("a controller that is killed and comes back keeps its jobs", (t) => killsController(t, slurm));
  await t.test("the batch process alone is signalled before its time limit", (t) => signalsBatch(t, slurm));
  await t.test("a job that fails is forgotten soon", (t) => forgetsJobs(t, slurm));
  await t.test("a job outlives the daemon of its node, until that comes back", (t) => killsNodeDaemon(t, slurm));
  await t.test("munged can be killed and started again", (t) => killsMunged(t, slurm));
  await t.test("a node that was turned off comes back", (t) => turnsOff(t, slurm));
}

function readHome(node: LabNode, name: string): string {
  const path = join(node.root, "home/rig", name);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

async function startJob(slurm: Slurm, node: LabNode, words: string[] = []): Promise<string> {
  const id = await slurm.submit(JOB, ["-w", node.name, ...words]);
  await waitUntil("the job runs", () => readHome(node, `alive.${id}`) !== "");
  return id;
}

/** Waits until the job's process has said once more that it lives. */
async function waitForLife(node: LabNode, id: string): Promise<void> {
  const before = readHome(node, `alive.${id}`);
  await waitUntil("the job lives", () => !["", before].includes(readHome(node, `alive.${id}`)), 10);
}

async function killsController(t: Test, slurm: Slurm): Promise<void> {
  const node = slurm.compute[0]!;
  const id = await startJob(slurm, node);
  await slurm.kill("slurmctld");
  const asked = await slurm.run(["squeue", "--me", "-h"]);
  t.match(asked, { code: 1, stdout: "", stderr: SQUEUE.controller });
  await waitForLife(node, id);
  await slurm.start("slurmctld");
  await slurm.waitForJob(id, "RUNNING", 10);
  await waitForLife(node, id);
  await slurm.scancel(id);
}

async function signalsBatch(t: Test, slurm: Slurm): Promise<void> {
  const node = slurm.compute[1]!;
  // Time limits are looked at every 30 s: the signal comes up to so much earlier than asked for.
  const id = await startJob(slurm, node, ["-t", "2", "--signal=B:TERM@119"]);
  await waitUntil("it is signalled", () => readHome(node, `signals.${id}`) !== "", 40);
  await waitForLife(node, id);
  t.equal(readHome(node, `signals.${id}`), "batch TERM\n");
  await slurm.scancel(id);
  await waitUntil("its child is signalled too", () => readHome(node, `signals.${id}`).includes("child"));
  t.match(readHome(node, `signals.${id}`), /^batch TERM\n(batch TERM\nchild TERM|child TERM\nbatch TERM)\n$/);
}

async function forgetsJobs(t: Test, slurm: Slurm): Promise<void> {
  const id = await slurm.submit("#!/bin/sh\nexit 91\n");
  await slurm.waitForJob(id, "over");
  const shown = await slurm.run(["scontrol", "show", "job", id]);
  t.match(shown.stdout, /JobState=FAILED Reason=NonZeroExitCode Dependency=\(null\)\n.* ExitCode=91:0\n/);
  const isForgotten = async () => (await slurm.run(["scontrol", "show", "job", id])).code === 1;
  await waitUntil("the controller has forgotten it", isForgotten, 60);
}

async function killsNodeDaemon(t: Test, slurm: Slurm): Promise<void> {
  const node = slurm.compute[0]!;
  const id = await startJob(slurm, node);
  await slurm.kill("slurmd", node);
  const isNodeFail = async () =>
    (await slurm.run(["scontrol", "show", "job", id])).stdout.includes("JobState=NODE_FAIL");
  await waitUntil("Slurm says that it is over", isNodeFail, 60);
  t.notMatch(await slurm.squeue(), [{ id }]);
  await waitForLife(node, id);
  await slurm.start("slurmd", node);
  await waitUntil("it is killed", () => !node.processes().some(({ argv }) => argv.join(" ").includes("slurm_script")));
  await slurm.waitForIdle();
}

async function killsMunged(t: Test, slurm: Slurm): Promise<void> {
  await slurm.kill("munged");
  // It tries for more than a minute.
  t.match(await slurm.run(["timeout", "2", "squeue", "--me", "-h"]), { code: 124, stdout: "" });
  await slurm.start("munged");
  await slurm.waitForIdle();
  t.match(await slurm.run(["squeue", "--me", "-h"]), { code: 0, stdout: "" });
}

async function turnsOff(t: Test, slurm: Slurm): Promise<void> {
  const node = slurm.compute[1]!;
  await node.powerCycle();
  for (const daemon of ["munged", "slurmd"] as const) await slurm.start(daemon, node);
  await slurm.waitForIdle();
  const id = await startJob(slurm, node);
  t.match(await slurm.squeue(), [{ id, state: "RUNNING" }]);
}

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { SBATCH_ERRORS, SRUN_ERRORS, TEST_ONLY } from "../fleet/engines/slurmoutputs.js";
import { type Lab, type LabNode, startLab } from "./lab.js";
import { lackingSlurm } from "./requirements.js";
import { runProgram } from "./runprogram.js";
import { type Slurm, startSlurm } from "./slurm.js";
import { waitUntil } from "./waituntil.js";

/** A job that writes its cards into its home, and then which signals it gets. */
const JOB = `#!/bin/bash
echo $CUDA_VISIBLE_DEVICES $ROCR_VISIBLE_DEVICES > ~/cards.$SLURM_JOB_ID
trap 'echo TERM >> ~/signals.$SLURM_JOB_ID' TERM
while :; do sleep 0.1; done
`;

const skip = lackingSlurm();
if (skip) t.pass("no Slurm", { skip });
else await tests();

async function tests(): Promise<void> {
  const lab = await startLab({ nodes: 3, user: "rig", gpus: 4 });
  t.teardown(() => lab.stop());
  await t.test("jobs and steps of a user, with the cards that Slurm binds", (t) => bindsCards(t, lab));
  await t.test("what sbatch refuses", (t) => refuses(t, lab));
  await t.test("a job of a higher tier takes the place of another", (t) => preempts(t, lab));
  await t.test("limits and accounts, without an accounting database", (t) => limits(t, lab));
  await t.test("nodes can be drained and taken down", (t) => takesNodesAway(t, lab));
  await t.test("all nodes share a home where the test asks for it", sharesHome);
}

function readHome(node: LabNode, name: string): string {
  const path = join(node.root, "home/rig", name);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

async function bindsCards(t: Test, lab: Lab): Promise<void> {
  const slurm = await startSlurm(lab, { gpus: 4, config: { FirstJobId: 100 } });
  t.teardown(() => slurm.stop());
  const node = slurm.compute[0]!;
  const on = ["-w", node.name];
  const two = await slurm.submit(JOB, [...on, "--gres=gpu:2", "-J", "two"]);
  const one = await slurm.submit(JOB, [...on, "--gres=gpu:1"]);
  await waitUntil("both run", () => [two, one].every((id) => readHome(node, `cards.${id}`) !== ""));
  t.same([readHome(node, `cards.${two}`), readHome(node, `cards.${one}`)], ["0,1 0,1\n", "2 2\n"]);
  t.match(await slurm.squeue(), [
    { id: two, name: "two", state: "RUNNING", reason: "None", nodes: node.name },
    { id: one, name: "sbatch", state: "RUNNING", reason: "None", nodes: node.name },
  ]);
  const echo = "import sys; [(sys.stdout.write(line.upper()), sys.stdout.flush()) for line in sys.stdin]";
  const step = (id: string, words: string) =>
    runProgram(
      ["ssh", ...lab.sshWords(slurm.login), `srun --jobid ${id} --overlap -n1 --quiet ${words}`],
      "one\ntwo\n",
    );
  t.match(await step(one, `python3 -c '${echo}'`), { code: 0, stdout: "ONE\nTWO\n", stderr: "" });
  const cards = "sh -c 'echo $CUDA_VISIBLE_DEVICES $ROCR_VISIBLE_DEVICES $SLURM_STEP_GPUS; hostname; exit 7'";
  t.match(await step(two, cards), { code: 7, stdout: `0,1 0,1 0,1\n${node.name}\n` });
  t.match(await step("999", "true"), { code: 1, stderr: SRUN_ERRORS.unknownJob });
  await slurm.scancel(one);
  t.match(await slurm.run(["squeue", "--me", "-h", "-j", one, "-o", "%T"]), { code: 0, stdout: "COMPLETING\n" });
  await slurm.waitForJob(one, "over");
  t.equal(readHome(node, `signals.${one}`), "TERM\n", "and then SIGKILL");
  await slurm.stop();
  const left = lab.nodes.flatMap((one) => one.processes());
  t.same(left, [], "no daemon and no process of a job is left");
}

async function refuses(t: Test, lab: Lab): Promise<void> {
  const slurm = await startSlurm(lab, {
    partitions: [{ name: "gpu" }, { name: "short", maxMinutes: 2 }],
    config: { EnforcePartLimits: "ALL", FirstJobId: 200 },
  });
  t.teardown(() => slurm.stop());
  const says = SBATCH_ERRORS;
  const cases: [words: string[], says: string, code?: number][] = [
    [["-p", "nosuch"], says.partition],
    [["-p", "short", "-t", "10"], says.timeLimit],
    [["--gres=gpu:5"], says.gresCount],
    [["--gres=tpu:1"], says.gresName],
    [["-c", "9"], says.cpus],
    [["--mem=99G"], says.memory],
    [["-C", "nosuch"], says.feature],
    [["-w", "nosuch"], says.node],
    [["--reservation=nosuch"], says.reservation],
    [["--array=0-2000"], says.array],
    [["-t", "garbage"], says.timeSyntax, 255],
    [["--nosuchoption"], says.option, 255],
    [["--test-only", "--gres=gpu:5"], TEST_ONLY.impossible],
  ];
  for (const [words, stderr, code = 1] of cases)
    t.same(await slurm.run(["sbatch", ...words], JOB), { code, stdout: "", stderr }, words.join(" "));
  t.same((await slurm.run(["sbatch"], "echo\n")).stderr, says.noInterpreter);
  t.match(await slurm.run(["sbatch", "-A", "none", "--test-only"], JOB), {
    code: 0,
    stdout: "",
    stderr: /^sbatch: Job \d+ to start at [\d:T-]+ using 1 processors on nodes node2 in partition gpu\n$/,
  });
}

async function preempts(t: Test, lab: Lab): Promise<void> {
  const partitions = [
    { name: "cheap", tier: 1 },
    { name: "urgent", tier: 2 },
  ];
  const slurm = await startSlurm(lab, { preempt: "cancel", partitions, config: { FirstJobId: 300 } });
  t.teardown(() => slurm.stop());
  const node = slurm.compute[0]!;
  const whole = ["-w", node.name, "--gres=gpu:2"];
  const cheap = await slurm.submit(JOB, [...whole, "-p", "cheap"]);
  await waitUntil("it runs", () => readHome(node, `cards.${cheap}`) !== "");
  const urgent = await slurm.submit(JOB, [...whole, "-p", "urgent"]);
  await slurm.waitForJob(urgent, "RUNNING");
  const shown = await slurm.asRoot(["scontrol", "show", "job", cheap]);
  t.match(shown.stdout, /JobState=PREEMPTED /);
  t.equal(readHome(node, `signals.${cheap}`), "TERM\n");
}

async function limits(t: Test, lab: Lab): Promise<void> {
  const slurm = await startSlurm(lab, { maxSubmitJobs: 2, accounts: ["science"], config: { FirstJobId: 400 } });
  t.teardown(() => slurm.stop());
  const first = await slurm.submit(JOB, ["-A", "science"]);
  await slurm.submit(JOB);
  t.same((await slurm.run(["sbatch"], JOB)).stderr, SBATCH_ERRORS.submitLimit);
  await slurm.scancel(first);
  await slurm.waitForJob(first, "over");
  t.same((await slurm.run(["sbatch", "-A", "art"], JOB)).stderr, SBATCH_ERRORS.account);
  t.match(await slurm.submit(JOB), /^\d+$/);
}

async function takesNodesAway(t: Test, lab: Lab): Promise<void> {
  const slurm: Slurm = await startSlurm(lab, { config: { FirstJobId: 500 } });
  t.teardown(() => slurm.stop());
  const [node, other] = slurm.compute as [LabNode, LabNode];
  const held = await slurm.submit(JOB, ["-w", node.name]);
  await waitUntil("it runs", () => readHome(node, `cards.${held}`) !== "");
  await slurm.drain(node);
  const next = await slurm.submit(JOB);
  await slurm.waitForJob(next, "RUNNING");
  t.match(
    await slurm.squeue(),
    [{ id: held, state: "RUNNING" }, { nodes: other.name }],
    "a drained node keeps its job",
  );
  await slurm.down(node);
  await slurm.waitForJob(held, "over");
  t.match((await slurm.asRoot(["scontrol", "show", "job", held])).stdout, /JobState=NODE_FAIL /);
  await slurm.scancel(next);
  await slurm.resume(node);
  await slurm.waitForIdle();
}

async function sharesHome(t: Test): Promise<void> {
  const lab = await startLab({ nodes: 2, user: "rig", gpus: 0, sharedHome: true });
  t.teardown(() => lab.stop());
  const [first, second] = lab.nodes as [LabNode, LabNode];
  t.equal((await runProgram(["ssh", ...lab.sshWords(first), "echo same > file"])).code, 0);
  await second.powerCycle();
  t.equal((await runProgram(["ssh", ...lab.sshWords(second), "cat file"])).stdout, "same\n");
}

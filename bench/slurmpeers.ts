import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../test/lab/lab.js";
import type { Slurm } from "../test/lab/slurm.js";
import { comesTrue } from "../test/lab/waituntil.js";
import type { DispatchScore } from "./mustercontestant.js";
import { runTimed } from "./timedrun.js";

/** The home of all nodes, as the first one sees it from outside. */
function homeOf(slurm: Slurm): string {
  return join(slurm.login.root, "home/rig");
}

/** Runs `sbatch` over SSH on the login node, as its user would. Throws what it says where it refuses. */
async function submit(lab: Lab, slurm: Slurm, words: string, script: string): Promise<string> {
  const argv = ["ssh", ...lab.sshWords(slurm.login), `sbatch --parsable --no-requeue -o /dev/null ${words}`];
  const ran = await runTimed(argv, { limit: 60, stdin: script });
  if (ran.code !== 0) throw new Error(`sbatch ${words}: ${ran.stderr}`);
  return ran.stdout.trim();
}

/** Runs the chunks as one job array of Slurm with a task of one CPU each, for at most `limit` seconds. */
export function runArray(lab: Lab, slurm: Slurm, chunks: number, limit: number): Promise<DispatchScore> {
  const script = '#!/bin/sh\necho "$SLURM_ARRAY_TASK_ID" >"numbers/$SLURM_ARRAY_TASK_ID"\n';
  const start = () => submit(lab, slurm, `--array=0-${chunks - 1} -n1 -c1`, script);
  return countNumbers("a job array of Slurm", slurm, chunks, limit, start);
}

/** Runs the chunks as `srun` steps in one allocation of all nodes, with as many at once as there are CPUs, for at most `limit` seconds. */
export function runSteps(lab: Lab, slurm: Slurm, chunks: number, slots: number, limit: number): Promise<DispatchScore> {
  const nodes = slurm.compute.map(({ name }) => name);
  const perNode = slots / nodes.length;
  // Steps are dealt out to the nodes: by itself, Slurm starts all that overlap on the first one.
  const feeds = nodes.map((name, index) => {
    const step = `srun --overlap -N1 -n1 --quiet -w ${name} sh -c "echo {} >numbers/{}"`;
    return `seq ${index} ${nodes.length} ${chunks - 1} | xargs -P ${perNode} -I{} ${step} &\n`;
  });
  const script = `#!/bin/bash\n${feeds.join("")}wait\n`;
  const words = `-N ${nodes.length} --ntasks-per-node=${perNode}`;
  return countNumbers("srun steps in one allocation", slurm, chunks, limit, () => submit(lab, slurm, words, script));
}

/** Waits until the job has written all numbers or the time is up, and cancels what is left of it. The last result counts, not the job's end. */
async function countNumbers(
  name: string,
  slurm: Slurm,
  chunks: number,
  limit: number,
  start: () => Promise<string>,
): Promise<DispatchScore> {
  const folder = join(homeOf(slurm), "numbers");
  rmSync(folder, { recursive: true, force: true });
  await slurm.run(["mkdir", "numbers"]);
  const began = performance.now();
  const job = await start();
  const inTime = await comesTrue(() => readdirSync(folder).length >= chunks, limit);
  const seconds = (performance.now() - began) / 1000;
  const done = readdirSync(folder);
  await slurm.scancel(job);
  await comesTrue(async () => (await slurm.squeue()).length === 0, 60);
  const right = done.filter((one) => readFileSync(join(folder, one), "utf8") === `${one}\n`).length;
  const note = inTime ? "" : `stopped after ${limit} s, of ${chunks}`;
  return { name, chunks: done.length, right, seconds, note };
}

/** Returns the seconds from the start of `ssh LOGIN sbatch` to the start of the batch script. */
export async function timeBatchStart(lab: Lab, slurm: Slurm): Promise<number> {
  const file = join(homeOf(slurm), "started");
  rmSync(file, { force: true });
  const began = Date.now() / 1000;
  const job = await submit(lab, slurm, "", "#!/bin/sh\ndate +%s.%N >started\n");
  const isWritten = () => existsSync(file) && readFileSync(file, "utf8").endsWith("\n");
  if (!(await comesTrue(isWritten, 60))) throw new Error(`job ${job} did not start`);
  const started = Number(readFileSync(file, "utf8"));
  await comesTrue(async () => (await slurm.squeue()).length === 0, 60);
  return started - began;
}

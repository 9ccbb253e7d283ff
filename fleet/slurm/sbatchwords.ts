import { type AllocationRequest, warningSeconds } from "./cluster.js";

/**
 * Returns the words after `sbatch` that submit a pilot, whose script arrives on stdin. Those of the inventory come first, so that what
 * muster depends on cannot be overridden by them.
 */
export function formatSbatchWords(request: AllocationRequest, jobName: string): string[] {
  const { partition, account, gres, cpus, memory, timeSeconds, sbatch } = request;
  return [
    ...sbatch,
    ...(partition === undefined ? [] : [`--partition=${partition}`]),
    ...(account === undefined ? [] : [`--account=${account}`]),
    ...(gres === undefined ? [] : [`--gres=${gres}`]),
    ...(memory === undefined ? [] : [`--mem=${Math.ceil(memory / 2 ** 20)}M`]),
    `--cpus-per-task=${cpus}`,
    "--nodes=1",
    "--ntasks=1",
    `--time=${formatMinutes(timeSeconds)}`,
    `--signal=B:TERM@${warningSeconds(request)}`,
    // A job that Slurm starts again would run what others have been given meanwhile.
    "--no-requeue",
    "--output=/dev/null",
    "--chdir=/",
    `--job-name=${jobName}`,
    "--parsable",
  ];
}

/** Slurm's unit of time limits is the minute. */
function formatMinutes(seconds: number): string {
  return `${Math.max(1, Math.floor(seconds / 60))}`;
}

/** Parses what `sbatch --parsable` printed: `JOBID` or `JOBID;CLUSTER`, on the last line that is one. undefined = there is none. */
export function parseJobId(output: string): string | undefined {
  const line = output.split("\n").findLast((one) => /^\d+(;\S+)?$/.test(one.trim()));
  return line?.trim().split(";")[0];
}

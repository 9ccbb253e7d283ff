import { type AllocationRequest, warningSeconds } from "./cluster.js";

/**
 * Returns the words after `sbatch` that submit a pilot, whose script arrives on stdin. Those of the inventory come first, so that what
 * muster depends on cannot be overridden by them. `exclude`: nodes that must not be in it, besides those of the inventory.
 */
export function formatSbatchWords(
  request: AllocationRequest,
  jobName: string,
  exclude: readonly string[] = [],
): string[] {
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
    ...(exclude.length === 0 ? [] : [`--exclude=${[...findExcluded(sbatch), ...exclude].join(",")}`]),
  ];
}

/** Returns what the last `--exclude` among the words names: a further one would take its place. */
function findExcluded(words: readonly string[]): string[] {
  return words.flatMap((word) => /^--exclude=(.+)$/.exec(word)?.[1] ?? []).slice(-1);
}

/** Slurm's unit of time limits is the minute. */
function formatMinutes(seconds: number): string {
  return `${Math.ceil(seconds / 60)}`;
}

/** Parses what `sbatch --parsable` printed: `JOBID` or `JOBID;CLUSTER`, on the last line that is one. undefined = there is none. */
export function parseJobId(output: string): string | undefined {
  const line = output.split("\n").findLast((one) => /^\d+(;\S+)?$/.test(one.trim()));
  return line?.trim().split(";")[0];
}

/** What Slurm expects of a job that is submitted now. */
export interface StartEstimate {
  /** When it would start, in seconds since 1970; undefined = Slurm cannot tell. */
  startSeconds: number | undefined;
  /** Where. */
  nodes: string | undefined;
  partition: string | undefined;
}

/** Slurm's answer where all that fits is taken by jobs without a time limit: a year or more. */
const MAX_START_SECONDS = 365 * 86_400;

/** Parses what `sbatch --test-only` printed with SLURM_TIME_FORMAT=%s. */
export function parseStartEstimate(output: string, nowMs = Date.now()): StartEstimate {
  const [, at, nodes, partition] =
    /to start at (\d+) using \d+ processors on (?:nodes )?(\S+)(?: in partition (\S+))?/.exec(output) ?? [];
  const isKnown = at !== undefined && Number(at) < nowMs / 1000 + MAX_START_SECONDS;
  return { startSeconds: isKnown ? Number(at) : undefined, nodes, partition };
}

import { MusterError } from "../../schemas/errors.js";
import { formatDuration } from "../../schemas/numbertext.js";
import type { Cluster } from "./cluster.js";
import { hasGres, type PartitionFacts } from "./partitions.js";
import type { StartEstimate } from "./sbatchwords.js";
import type { ClusterFacts, SlurmEngine } from "./slurmengine.js";
import { describePlace } from "./slurmerror.js";

/** One thing that was checked. `next`: what to do where it is not in order. */
export interface ClusterCheck {
  what: "login shell" | "partition" | "time" | "gres" | "request" | "pilot";
  isOk: boolean;
  text: string;
  next?: string;
}

/** What was found out about a cluster. */
export interface ClusterInspection {
  facts: ClusterFacts;
  checks: ClusterCheck[];
}

/** Checks everything that keeps pilots from being submitted. It changes nothing. Rejects where Slurm cannot be asked at all. */
export async function checkCluster(engine: SlurmEngine): Promise<ClusterInspection> {
  const { cluster } = engine;
  const facts = await engine.inspect();
  const checks = [
    checkShell(await engine.readShellOutput()),
    checkPartition(cluster, facts),
    ...(facts.partitions.length === 0
      ? []
      : [checkTime(cluster, facts.partitions), ...checkGres(cluster, facts), await checkRequest(engine)]),
  ];
  return { facts, checks };
}

function checkShell(printed: string): ClusterCheck {
  const what = "login shell";
  if (printed === "") return { what, isOk: true, text: "prints nothing" };
  return { what, isOk: true, text: `prints before each program, which is skipped: ${printed.slice(0, 200)}` };
}

function checkPartition({ name, request, positions }: Cluster, facts: ClusterFacts): ClusterCheck {
  const what = "partition";
  if (facts.partitions.length > 0)
    return { what, isOk: true, text: facts.partitions.map((one) => one.name).join(", ") };
  const names = facts.otherPartitions.map((one) => one.name).join(", ") || "none";
  const missing = request.partition === undefined ? "a default partition" : `the partition ${request.partition}`;
  const next = `Set \`partition\` of ${name} in the inventory${describePlace(positions.partition)}; there is ${names}.`;
  return { what, isOk: false, text: `Slurm does not have ${missing}`, next };
}

/** Slurm lets a job wait for ever whose time is above the limit, unless it is set up to refuse it. */
function checkTime({ name, request, positions }: Cluster, partitions: readonly PartitionFacts[]): ClusterCheck {
  const what = "time";
  const limits = partitions.map(({ timeLimitSeconds = Infinity }) => timeLimitSeconds);
  const most = Math.max(...limits);
  const asked = formatDuration(request.timeSeconds);
  const limit = most === Infinity ? "no limit" : `the limit is ${formatDuration(most)}`;
  if (request.timeSeconds <= most) return { what, isOk: true, text: `${asked}, ${limit}` };
  const next = `Set \`time\` of ${name} in the inventory${describePlace(positions.time)} to at most ${formatDuration(most)}.`;
  return { what, isOk: false, text: `${asked} is above the limit of the partition, ${formatDuration(most)}`, next };
}

function checkGres({ name, request, positions }: Cluster, { partitions }: ClusterFacts): ClusterCheck[] {
  const { gres } = request;
  if (gres === undefined) return [];
  const there = [...new Set(partitions.flatMap((one) => one.gres))];
  const listed = there.join(", ") || "none";
  if (hasGres(there, gres)) return [{ what: "gres", isOk: true, text: `${gres}; nodes have ${listed}` }];
  const next = `Set \`gres\` of ${name} in the inventory${describePlace(positions.gres)}; nodes have ${listed}.`;
  return [{ what: "gres", isOk: false, text: `no node of the partition has ${gres}`, next }];
}

async function checkRequest(engine: SlurmEngine): Promise<ClusterCheck> {
  const what = "request";
  try {
    return { what, isOk: true, text: describeStart(await engine.estimateStart(), Date.now()) };
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return { what, isOk: false, text: error.reason, next: error.next };
  }
}

/** Says when a pilot would start: "a pilot would start in 2 h 10 min on node2 (sbatch --test-only)". */
export function describeStart({ startSeconds, nodes }: StartEstimate, nowMs: number): string {
  const where = nodes === undefined ? "" : ` on ${nodes}`;
  if (startSeconds === undefined) return `a pilot is possible${where}, but Slurm cannot tell when it would start`;
  const seconds = Math.round(startSeconds - nowMs / 1000);
  return `a pilot would start ${seconds < 60 ? "now" : `in ${formatDuration(seconds)}`}${where}`;
}

import { formatUnequalBytes } from "../../schemas/bytecount.js";
import { MusterError } from "../../schemas/errors.js";
import { formatDuration } from "../../schemas/numbertext.js";
import type { Cluster } from "./cluster.js";
import { hasGres, isUp, type PartitionFacts } from "./partitions.js";
import type { StartEstimate } from "./sbatchwords.js";
import type { ClusterFacts, SlurmEngine } from "./slurmengine.js";
import { describePlace, isAmbiguous, SlurmError } from "./slurmerror.js";

/** One thing that was checked. `next`: what to do where it is not in order. */
export interface ClusterCheck {
  what: "login shell" | "partition" | "time" | "gres" | "cpus" | "memory" | "request" | "pilot";
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
  const checks = [checkShell(await engine.readShellOutput()), checkPartition(cluster, facts)];
  if (facts.partitions.length === 0) return { facts, checks };
  const sizes = [...checkGres(cluster, facts), ...checkCpus(cluster, facts), ...checkMemory(cluster, facts)];
  const isTooLarge = sizes.some(({ isOk }) => !isOk);
  checks.push(checkTime(cluster, facts.partitions), ...sizes, await checkRequest(engine, isTooLarge));
  return { facts, checks };
}

function checkShell(printed: string): ClusterCheck {
  const what = "login shell";
  if (printed === "") return { what, isOk: true, text: "prints nothing" };
  return { what, isOk: true, text: `prints before each program, which is skipped: ${printed.slice(0, 200)}` };
}

function checkPartition({ name, request, positions }: Cluster, facts: ClusterFacts): ClusterCheck {
  const what = "partition";
  if (facts.partitions.length > 0) {
    const text = facts.partitions.map((one) => (isUp(one) ? one.name : `${one.name} (${one.state})`)).join(", ");
    if (facts.partitions.some(isUp)) return { what, isOk: true, text };
    const others = facts.otherPartitions.filter(isUp).map((one) => one.name);
    const set = `set \`partition\` of ${name} in the inventory${describePlace(positions.partition)}; there is`;
    const next = `Wait until its operators have set it up again${others.length === 0 ? "" : `, or ${set} ${others.join(", ")}`}.`;
    return { what, isOk: false, text: `${text}: no pilot starts there for now`, next };
  }
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

function checkCpus({ name, request, positions }: Cluster, { partitions }: ClusterFacts): ClusterCheck[] {
  const most = Math.max(...partitions.map(({ largest }) => largest.cpus));
  if (request.cpus > most) {
    const next = `Set \`cpus\` of ${name} in the inventory${describePlace(positions.cpus)} to at most ${most}.`;
    const text = `no node of the partition has ${request.cpus} CPUs; the largest has ${most}`;
    return [{ what: "cpus", isOk: false, text, next }];
  }
  return positions.cpus === undefined ? [] : [{ what: "cpus", isOk: true, text: `${request.cpus} of ${most}` }];
}

/** Nodes whose memory Slurm has not been told have 1 MiB in its words. */
function checkMemory({ name, request, positions }: Cluster, { partitions }: ClusterFacts): ClusterCheck[] {
  const { memory } = request;
  const most = Math.max(...partitions.map(({ largest }) => largest.memoryBytes));
  if (memory === undefined || most <= 2 ** 20) return [];
  const [asked, there] = formatUnequalBytes(memory, most);
  if (memory <= most) return [{ what: "memory", isOk: true, text: `${asked} of ${there}` }];
  const next = `Set \`memory\` of ${name} in the inventory${describePlace(positions.memory)} to at most ${Math.floor(most / 2 ** 20)}MiB.`;
  const text = `no node of the partition has ${asked}; the largest has ${there}`;
  return [{ what: "memory", isOk: false, text, next }];
}

/** `isExplained`: another check has found what is too large, so that a refusal needs no advice of its own. */
async function checkRequest(engine: SlurmEngine, isExplained: boolean): Promise<ClusterCheck> {
  const what = "request";
  try {
    return { what, isOk: true, text: describeStart(await engine.estimateStart(), Date.now()) };
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    const needsAdvice = !(isExplained && error instanceof SlurmError && isAmbiguous(error.reason));
    return { what, isOk: false, text: error.reason, ...(needsAdvice ? { next: error.next } : {}) };
  }
}

/** Says when a pilot would start: "a pilot would start in 2 h 10 min on node2 (sbatch --test-only)". */
function describeStart({ startSeconds, nodes }: StartEstimate, nowMs: number): string {
  const where = nodes === undefined ? "" : ` on ${nodes}`;
  if (startSeconds === undefined) return `a pilot is possible${where}, but Slurm cannot tell when it would start`;
  const seconds = Math.round(startSeconds - nowMs / 1000);
  return `a pilot would start ${seconds < 60 ? "now" : `in ${formatDuration(seconds)}`}${where}`;
}

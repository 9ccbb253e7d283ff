import type { Cluster } from "../fleet/slurm/cluster.js";
import type { ClusterOutcome } from "../fleet/slurm/eachcluster.js";
import { type Capacity, isUp, type PartitionFacts } from "../fleet/slurm/partitions.js";
import type { ClusterFacts } from "../fleet/slurm/slurmengine.js";
import { countColumns, padToColumns } from "./columns.js";
import { formatCount, formatDuration, indentLines, pluralize, toOneLine, toPrintableText } from "./format.js";
import { formatReasons } from "./pilottext.js";

/** What is known of a cluster. */
export type ClusterLook = ClusterOutcome<ClusterFacts>;

/** Returns the table of clusters of `muster nodes`: a row for each partition with details below it, and the total. */
export function formatClustersTable(looks: readonly ClusterLook[]): string {
  const head = ["cluster", "partition", "gpus free", "cpus free", "limit", "nodes"];
  const blocks = looks.map(formatBlock);
  const rows = [head, ...blocks.flatMap(({ rows }) => rows)].map((row) => row.map(toOneLine));
  const widths = head.map((_, column) => Math.max(...rows.map((row) => countColumns(row[column] ?? ""))));
  const format = (row: string[]) =>
    row
      .map((cell, column) => padToColumns(toOneLine(cell), widths[column]!))
      .join("  ")
      .trimEnd();
  return toPrintableText([
    format(head),
    ...blocks.flatMap(({ rows, lines }) => [...rows.map(format), ...lines]),
    "",
    `${looks.filter(isUsable).length} of ${pluralize(looks.length, "cluster")} usable`,
  ]);
}

/** Returns the unusable clusters with the reason and the next action; "" where there are none. */
export function formatUnusableClusters(looks: readonly ClusterLook[]): string {
  return toPrintableText(
    looks.filter((look) => !isUsable(look)).flatMap((look) => [look.cluster.name, ...formatTrouble(look)]),
  );
}

/** Returns a line about a cluster, for progress. */
export function formatClusterLine(look: ClusterLook): string {
  const { name } = look.cluster;
  if ("error" in look) return toPrintableText([`${name}: ${look.error.textFor(name)}`]);
  const nodes = look.value.partitions.reduce((sum, partition) => sum + countNodes(partition), 0);
  return toPrintableText([`${name}: Slurm ${look.value.version}, ${pluralize(nodes, "node")}`]);
}

/** Returns the result as it is in the JSON document of `muster nodes`. */
export function buildClusterRecords(looks: readonly ClusterLook[]) {
  return looks.map((look) => {
    const { name, login, pilots, request, overflowAfterSeconds } = look.cluster;
    const base = { cluster: name, host: login.host, connection: login.connection, tags: login.tags, pilots, request };
    const use = { overflowAfterSeconds: overflowAfterSeconds ?? null };
    if ("error" in look) {
      const { code, message, next } = look.error;
      return { ...base, ...use, usable: false, code, reason: message, next: next ?? null };
    }
    const { version, partitions, jobs } = look.value;
    const shown = partitions.map((one) => ({ ...one, timeLimitSeconds: one.timeLimitSeconds ?? null }));
    const queue = [...jobs].map(([id, job]) => ({ id, ...job }));
    return { ...base, ...use, usable: isUsable(look), version, partitions: shown, jobs: queue };
  });
}

/** Whether pilots can be submitted and start, as far as the look tells. */
export function isUsable(look: ClusterLook): boolean {
  return "value" in look && look.value.partitions.some(isUp);
}

/** Returns the rows of a cluster, and the lines below them. */
function formatBlock(look: ClusterLook): { rows: string[][]; lines: string[] } {
  const { name } = look.cluster;
  if ("error" in look || look.value.partitions.length === 0)
    return { rows: [[name, "not usable"]], lines: formatTrouble(look) };
  const { partitions, version, jobs } = look.value;
  const rows = partitions.map((one) => [
    name,
    isUp(one) ? one.name : `${one.name} (${one.state})`,
    formatCapacity(one.gpus),
    formatCapacity(one.cpus),
    one.timeLimitSeconds === undefined ? "none" : formatDuration(one.timeLimitSeconds),
    formatStates(one),
  ]);
  const lines = indentLines(`Slurm ${version}, ${formatJobs([...jobs.values()])}`);
  return { rows, lines: isUsable(look) ? lines : [...formatTrouble(look), ...lines] };
}

function formatTrouble(look: ClusterLook): string[] {
  const { name } = look.cluster;
  if ("error" in look) {
    const { error } = look;
    return [error.textFor(name), ...(error.next === undefined ? [] : [`next: ${error.next}`])].flatMap(indentLines);
  }
  const { partitions } = look.value;
  if (partitions.length > 0) {
    const states = partitions.map(({ name: partition, state }) => `the partition ${partition} is ${state}`);
    return indentLines(`no pilot starts now: ${states.join(", ")}`);
  }
  return indentLines(describeMissingPartition(look.cluster, look.value));
}

/** Says that a cluster has no partition for its pilots, and which ones there are. */
export function describeMissingPartition({ request }: Cluster, { otherPartitions }: ClusterFacts): string {
  const what =
    request.partition === undefined ? "there is no default partition" : `there is no partition "${request.partition}"`;
  const names = otherPartitions.map(({ name }) => name).join(", ");
  return `${what}; there is ${names === "" ? "none" : names}`;
}

function formatJobs(jobs: readonly { state: string; reason?: string }[]): string {
  if (jobs.length === 0) return "no job of yours in its queue";
  const waiting = jobs.filter(({ state }) => state === "pending");
  const reasons = formatReasons(waiting.map(({ reason }) => reason));
  const parts = [
    `${formatCount(jobs.filter(({ state }) => state === "running").length)} running`,
    `${formatCount(waiting.length)} waiting${reasons === "" ? "" : ` (${reasons})`}`,
  ];
  return `your jobs in its queue: ${parts.join(", ")}`;
}

function formatCapacity({ free, total }: Capacity): string {
  return total === 0 ? "-" : `${formatCount(free)} of ${formatCount(total)}`;
}

function formatStates({ nodes }: PartitionFacts): string {
  return Object.entries(nodes)
    .map(([state, count]) => `${formatCount(count)} ${state}`)
    .join(", ");
}

function countNodes({ nodes }: PartitionFacts): number {
  return Object.values(nodes).reduce((sum, count) => sum + count, 0);
}

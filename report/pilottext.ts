import type { LivePilot } from "../executor/run/record/liverun.js";
import { formatCount, pluralize, toOneLine } from "./format.js";

/** So many pilots of a cluster that have ended are listed one by one; more are one line. */
const MAX_LISTED_ENDED = 3;

/** A node as lists show it. */
interface ListedNode {
  node: string;
  state: string;
  chunks: number;
  failedAttempts: number;
}

/** Returns a line for each cluster about its pilots that do not work yet: "hpc: 3 pilots wait (Priority: 2, Resources: 1), 2 start". */
export function formatPilots(pilots: readonly LivePilot[] = []): string[] {
  const clusters = [...new Set(pilots.map(({ cluster }) => cluster))];
  return clusters.map((cluster) => {
    const own = pilots.filter((one) => one.cluster === cluster);
    const waiting = own.filter(({ state }) => state === "pending");
    const counts = [
      { count: waiting.length, verb: "wait", note: formatReasons(waiting.map(({ reason }) => reason)) },
      { count: own.filter(({ state }) => state === "starting").length, verb: "start", note: "" },
      { count: own.filter(({ state }) => state === "submitting").length, verb: "are submitted", note: "" },
    ].filter(({ count }) => count > 0);
    const parts = counts.map(({ count, verb, note }, index) => {
      const number = index === 0 ? pluralize(count, "pilot") : formatCount(count);
      return `${number} ${conjugate(verb, count)}${note === "" ? "" : ` (${note})`}`;
    });
    return `${toOneLine(cluster)}: ${parts.join(", ")}`;
  });
}

function conjugate(verb: string, count: number): string {
  if (count !== 1) return verb;
  return verb === "are submitted" ? "is submitted" : `${verb}s`;
}

/** Formats reasons with their number, most first: "Priority: 2, Resources: 1"; one alone without; "" where there are none. */
export function formatReasons(reasons: readonly (string | undefined)[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  if (sorted.length === 1) return toOneLine(sorted[0]![0]);
  return sorted.map(([reason, count]) => `${toOneLine(reason)}: ${formatCount(count)}`).join(", ");
}

/** Returns the nodes without pilots that have ended, where a cluster has many of these, and a line for each such cluster. */
export function foldEndedPilots<T extends ListedNode>(nodes: readonly T[]): { shown: T[]; lines: string[] } {
  const ended = new Map<string, T[]>();
  for (const node of nodes) {
    const cluster = node.state === "ended" ? clusterOf(node.node) : undefined;
    if (cluster !== undefined) ended.set(cluster, [...(ended.get(cluster) ?? []), node]);
  }
  const folded = [...ended].filter(([, own]) => own.length > MAX_LISTED_ENDED);
  const isFolded = new Set(folded.flatMap(([, own]) => own));
  const lines = folded.map(([cluster, own]) => {
    const chunks = own.reduce((sum, one) => sum + one.chunks, 0);
    const failed = own.reduce((sum, one) => sum + one.failedAttempts, 0);
    const failures = failed === 0 ? "" : `, ${pluralize(failed, "failed attempt")}`;
    return `${toOneLine(cluster)}: ${pluralize(own.length, "ended pilot")}, ${pluralize(chunks, "chunk")}${failures}`;
  });
  return { shown: nodes.filter((node) => !isFolded.has(node)), lines };
}

/** Returns names of nodes without those of pilots, where a cluster has many of these: "hpc (14 pilots)". */
export function foldPilotNames(names: readonly string[]): string[] {
  const pilots = new Map<string, string[]>();
  for (const name of names) {
    const cluster = clusterOf(name);
    if (cluster !== undefined) pilots.set(cluster, [...(pilots.get(cluster) ?? []), name]);
  }
  const folded = [...pilots].filter(([, own]) => own.length > MAX_LISTED_ENDED);
  const isFolded = new Set(folded.flatMap(([, own]) => own));
  return [
    ...names.filter((name) => !isFolded.has(name)),
    ...folded.map(([cluster, own]) => `${cluster} (${pluralize(own.length, "pilot")})`),
  ];
}

/** Returns the cluster of a pilot's node; undefined = the name is that of a machine. */
function clusterOf(node: string): string | undefined {
  return /^(.+)\/\d+$/.exec(node)?.[1];
}

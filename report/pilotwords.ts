import { formatCount, pluralize, toOneLine } from "./format.js";

/** Formats how many pilots wait, by Slurm's reason, most first: "3 pilots wait (Priority 2, Resources 1)". */
export function formatWaitingPilots(reasons: readonly (string | undefined)[]): string {
  const verb = reasons.length === 1 ? "waits" : "wait";
  const listed = formatReasons(reasons);
  return `${pluralize(reasons.length, "pilot")} ${verb}${listed === "" ? "" : ` (${listed})`}`;
}

/** Formats reasons with their number, most first: "Priority 2, Resources 1"; "" where there are none. */
export function formatReasons(reasons: readonly (string | undefined)[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  return sorted.map(([reason, count]) => `${toOneLine(reason)} ${formatCount(count)}`).join(", ");
}

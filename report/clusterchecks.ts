import type { ClusterInspection } from "../fleet/slurm/checkcluster.js";
import type { ClusterOutcome } from "../fleet/slurm/eachcluster.js";
import { TERMINAL_COLUMNS } from "./columns.js";
import { formatCount, indentLines, toOneLine, toPrintableText, wrapText } from "./format.js";

/** What `muster doctor` has found out about a cluster. */
export type ClusterReport = ClusterOutcome<ClusterInspection>;

/** Whether everything that was checked is in order. */
export function isInOrder(report: ClusterReport): boolean {
  return "value" in report && report.value.checks.every(({ isOk }) => isOk);
}

/** Returns what was found out about clusters. `rows`: all checks, or those that are not in order (`trouble`). */
export function formatClusterChecks(reports: readonly ClusterReport[], rows: "all" | "trouble"): string {
  return toPrintableText(reports.flatMap((report) => formatReport(report, rows)));
}

/** Returns the result as it is in the JSON document of `muster doctor`. */
export function buildClusterChecks(reports: readonly ClusterReport[]) {
  return reports.map((report) => {
    const cluster = report.cluster.name;
    if ("error" in report) {
      const { code, message, next } = report.error;
      return { cluster, state: "unreachable", code, reason: message, next: next ?? null };
    }
    const { facts, checks } = report.value;
    return { cluster, state: isInOrder(report) ? "ok" : "trouble", version: facts.version, checks };
  });
}

function formatReport(report: ClusterReport, rows: "all" | "trouble"): string[] {
  const name = toOneLine(report.cluster.name);
  if ("error" in report) {
    const { error } = report;
    const next = error.next === undefined ? [] : [`next: ${error.next}`];
    return [`${name}: not usable`, ...[error.textFor(report.cluster.name), ...next].flatMap(indentLines)];
  }
  const { facts, checks } = report.value;
  const fine = checks.filter(({ isOk }) => isOk);
  const wrong = checks.length - fine.length;
  const counts = [
    ...(fine.length === 0 ? [] : [`${formatCount(fine.length)} ok`]),
    ...(wrong === 0 ? [] : [`${formatCount(wrong)} not ok`]),
  ];
  const start = wrong > 0 ? undefined : fine.find(({ what }) => what === "request");
  const head = [`${name}: Slurm ${facts.version}`, counts.join(", "), ...(start === undefined ? [] : [start.text])];
  const shown = checks.filter(({ isOk }) => rows === "all" || !isOk);
  return [
    ...wrapText(head.join(", "), "", TERMINAL_COLUMNS),
    ...shown.flatMap(({ what, isOk, text, next }) => [
      ...indentLines(`${isOk ? "" : "! "}${what}: ${text}`),
      ...(next === undefined ? [] : indentLines(`next: ${next}`)),
    ]),
  ];
}

import type { NodeReport } from "../playbooks/engine/inspecteachnode.js";
import type { Difference, ResourceState, Verdict } from "../playbooks/engine/resource.js";
import { countColumns, padToColumns, TERMINAL_COLUMNS } from "./columns.js";
import { indentLines, pluralize, shortenMiddle, toOneLine, toPrintableText, wrapText } from "./format.js";

/** The length of the longest state, "needs reboot". */
const STATE_COLUMNS = 12;

/** All states, in the order in which they are counted. */
export const RESOURCE_STATES: ResourceState[] = ["ok", "changed", "drift", "needs reboot", "failed", "blocked"];

/** What is shown: all resources, or only those that are not in sync or have notes (`trouble`). */
export interface DriftView {
  rows: "all" | "trouble";
  diffs: boolean;
}

/** Returns a table of all nodes and resources in inventory order, with differences below each row. */
export function formatDrift(reports: NodeReport[], view: DriftView): string {
  const widest = Math.min(24, Math.max(4, ...reports.map(({ node }) => countColumns(toOneLine(node.name)))));
  const rows = reports.flatMap((report) => formatNodeRows(report, widest, view));
  if (rows.length === 0) return "";
  return toPrintableText([
    formatRow(widest, "node", "resource", "state"),
    ...rows,
    "",
    ...wrapText(formatDriftTotal(reports), "", TERMINAL_COLUMNS),
  ]);
}

/** Returns a line with the number of resources in each state. */
export function formatDriftTotal(reports: NodeReport[]): string {
  const counts = new Map<string, number>();
  const add = (word: string) => counts.set(word, (counts.get(word) ?? 0) + 1);
  for (const report of reports)
    if ("inspection" in report) for (const { state } of report.inspection.verdicts) add(state);
  const parts = RESOURCE_STATES.flatMap((state) => (counts.has(state) ? [`${counts.get(state)} ${state}`] : []));
  const errors = reports.flatMap((report) => ("error" in report ? [stateOfError(report.error.exitStatus)] : []));
  const busy = errors.filter((state) => state === "busy").length;
  const unreachable = errors.length - busy;
  const skipped = reports.filter((report) => "skipped" in report).length;
  if (skipped > 0) parts.push(`${pluralize(skipped, "node")} not rebooted`);
  if (busy > 0) parts.push(`${pluralize(busy, "node")} busy`);
  if (unreachable > 0) parts.push(`${pluralize(unreachable, "node")} unreachable`);
  return `${pluralize(reports.length, "node")}: ${parts.join(", ") || "nothing to check"}`;
}

/** Returns a line about a node, for progress. */
export function formatNodeReport(report: NodeReport): string {
  const { name } = report.node;
  if ("error" in report) return toPrintableText([`${name}: ${report.error.textFor(name)}`]);
  return toPrintableText([
    `${name}: ${"skipped" in report ? report.skipped : formatDriftTotal([report]).replace(/^1 node: /, "")}`,
  ]);
}

/** Returns the reports as one JSON document. */
export function buildDriftDocument(reports: NodeReport[]) {
  const nodes = reports.map((report) => {
    const { name } = report.node;
    if ("error" in report) {
      const { code, message, next } = report.error;
      return {
        node: name,
        state: stateOfError(report.error.exitStatus),
        code,
        reason: message,
        next: next ?? null,
        resources: [],
      };
    }
    if ("skipped" in report) return { node: name, state: "skipped", reason: report.skipped, resources: [] };
    const { verdicts, fingerprint } = report.inspection;
    const inSync = verdicts.every(({ state }) => state === "ok" || state === "changed");
    return { node: name, state: inSync ? "in sync" : "differs", fingerprint, resources: verdicts };
  });
  return { nodes };
}

function formatNodeRows(report: NodeReport, widest: number, view: DriftView): string[] {
  const { name } = report.node;
  if ("error" in report) {
    const { next, exitStatus: exit } = report.error;
    const why = [report.error.textFor(name), ...(next === undefined ? [] : [`next: ${next}`])];
    return [formatRow(widest, name, "", stateOfError(exit)), ...why.flatMap(indentLines)];
  }
  if ("skipped" in report)
    return view.rows === "all" ? [formatRow(widest, name, "", "skipped"), ...indentLines(report.skipped)] : [];
  const shown = report.inspection.verdicts.filter(
    ({ state, notes }) => view.rows === "all" || state !== "ok" || notes.length > 0,
  );
  return shown.flatMap((verdict) => [
    formatRow(widest, name, verdict.resource, verdict.state),
    ...formatVerdict(verdict, view.diffs),
  ]);
}

function formatVerdict({ differences, reason, next, notes }: Verdict, diffs: boolean): string[] {
  return [
    ...(reason === undefined ? [] : indentLines(reason)),
    ...(next === undefined ? [] : indentLines(`next: ${next}`)),
    ...differences.flatMap((one) => formatDifference(one, diffs)),
    ...notes.flatMap((note) => indentLines(`note: ${note}`)),
  ];
}

function formatDifference({ what, have, want, diff }: Difference, diffs: boolean): string[] {
  const line = indentLines(`${what}: ${have}; wanted: ${want}`);
  if (!diffs || diff === undefined) return line;
  return [...line, ...diff.trimEnd().split("\n").map(indentUnlessDiff)];
}

/** Returns a line of a unified diff as it is, and indents any other text from a node. */
function indentUnlessDiff(line: string): string {
  return /^[-+@ \\]/.test(line) ? line : `    ${line}`;
}

/** A node that another provision has locked is busy; any other error makes it unreachable. */
function stateOfError(exit: number): string {
  return exit === 75 ? "busy" : "unreachable";
}

function formatRow(widest: number, node: string, resource: string, state: string): string {
  const width = TERMINAL_COLUMNS - widest - 2 - STATE_COLUMNS - 2;
  const [name, what] = [shortenMiddle(node, widest), shortenMiddle(resource, width)];
  return `${padToColumns(name, widest + 2)}${padToColumns(what, width + 2)}${state}`.trimEnd();
}

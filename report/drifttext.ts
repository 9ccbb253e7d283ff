import type { NodeReport } from "../playbooks/engine/inspecteachnode.js";
import type { Difference, ResourceState, Verdict } from "../playbooks/engine/resource.js";
import { countColumns, padToColumns } from "./columns.js";
import { pluralize, shortenMiddle, toOneLine, toPrintableText, wrapText } from "./format.js";

/** Columns of a terminal that nobody widened. */
const TERMINAL_COLUMNS = 80;
/** "needs reboot" is the longest. */
const STATE_COLUMNS = 12;

/** In the order in which they are counted. */
export const RESOURCE_STATES: ResourceState[] = ["ok", "changed", "drift", "needs reboot", "failed", "blocked"];

/** How much of each resource is shown: everything, or only what is not as it should be (`trouble`). */
export interface DriftView {
  rows: "all" | "trouble";
  diffs: boolean;
}

/** The table of every node and resource, in inventory order, with what differs below each. */
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

/** The last line: how many resources are in which state. */
export function formatDriftTotal(reports: NodeReport[]): string {
  const counts = new Map<string, number>();
  const add = (word: string) => counts.set(word, (counts.get(word) ?? 0) + 1);
  for (const report of reports)
    if ("inspection" in report) for (const { state } of report.inspection.verdicts) add(state);
  const parts = RESOURCE_STATES.flatMap((state) => (counts.has(state) ? [`${counts.get(state)} ${state}`] : []));
  const errors = reports.flatMap((report) => ("error" in report ? [stateOfError(report.error.exitStatus)] : []));
  const busy = errors.filter((state) => state === "busy").length;
  const lost = errors.length - busy;
  const skipped = reports.filter((report) => "skipped" in report).length;
  if (skipped > 0) parts.push(`${pluralize(skipped, "node")} not rebooted`);
  if (busy > 0) parts.push(`${pluralize(busy, "node")} busy`);
  if (lost > 0) parts.push(`${pluralize(lost, "node")} not reached`);
  return `${pluralize(reports.length, "node")}: ${parts.join(", ") || "nothing to look at"}`;
}

/** One node in one line, for progress. */
export function formatNodeReport(report: NodeReport): string {
  const { name } = report.node;
  if ("error" in report) return toPrintableText([`${name}: ${removeNodePrefix(report.error.message, name)}`]);
  return toPrintableText([
    `${name}: ${"skipped" in report ? report.skipped : formatDriftTotal([report]).replace(/^1 node: /, "")}`,
  ]);
}

/** The same as one JSON document. */
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
    const { message, next, exitStatus: exit } = report.error;
    const why = [removeNodePrefix(message, name), ...(next === undefined ? [] : [`next: ${next}`])];
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

/** A line of a unified diff begins with one of these characters; nothing else of a node does. */
function indentUnlessDiff(line: string): string {
  return /^[-+@ \\]/.test(line) ? line : `    ${line}`;
}

/** A node held by another provision is reached, and busy. */
function stateOfError(exit: number): string {
  return exit === 75 ? "busy" : "unreachable";
}

function formatRow(widest: number, node: string, resource: string, state: string): string {
  const room = TERMINAL_COLUMNS - widest - 2 - STATE_COLUMNS - 2;
  const [name, what] = [shortenMiddle(node, widest), shortenMiddle(resource, room)];
  return `${padToColumns(name, widest + 2)}${padToColumns(what, room + 2)}${state}`.trimEnd();
}

function removeNodePrefix(message: string, name: string): string {
  return message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
}

/** Text below a row. */
function indentLines(text: string): string[] {
  return wrapText(text, "    ", TERMINAL_COLUMNS);
}

import type { NodeReport } from "../playbooks/engine/fleet.js";
import type { Difference, State, Verdict } from "../playbooks/engine/resource.js";
import { oneLine, plural, shortened, textOf, wrapped } from "./format.js";
import { columnsOf, padEndColumns } from "./width.js";

/** Columns of a terminal that nobody widened. */
const WIDTH = 80;
/** "needs reboot" is the longest. */
const STATE = 12;

/** In the order in which they are counted. */
export const STATES: State[] = ["ok", "changed", "drift", "needs reboot", "failed", "blocked"];

/** How much of each resource is shown: everything, or only what is not as it should be (`trouble`). */
export interface DriftView {
  rows: "all" | "trouble";
  diffs: boolean;
}

/** The table of every node and resource, in inventory order, with what differs below each. */
export function driftText(reports: NodeReport[], view: DriftView): string {
  const widest = Math.min(24, Math.max(4, ...reports.map(({ node }) => columnsOf(oneLine(node.name)))));
  const rows = reports.flatMap((report) => nodeRows(report, widest, view));
  if (rows.length === 0) return "";
  return textOf([row(widest, "node", "resource", "state"), ...rows, "", ...wrapped(totalText(reports), "", WIDTH)]);
}

/** The last line: how many resources are in which state. */
export function totalText(reports: NodeReport[]): string {
  const counts = new Map<string, number>();
  const add = (word: string) => counts.set(word, (counts.get(word) ?? 0) + 1);
  for (const report of reports)
    if ("inspection" in report) for (const { state } of report.inspection.verdicts) add(state);
  const parts = STATES.flatMap((state) => (counts.has(state) ? [`${counts.get(state)} ${state}`] : []));
  const errors = reports.flatMap((report) => ("error" in report ? [errorState(report.error.exit)] : []));
  const busy = errors.filter((state) => state === "busy").length;
  const lost = errors.length - busy;
  const skipped = reports.filter((report) => "skipped" in report).length;
  if (skipped > 0) parts.push(`${plural(skipped, "node")} not rebooted`);
  if (busy > 0) parts.push(`${plural(busy, "node")} busy`);
  if (lost > 0) parts.push(`${plural(lost, "node")} not reached`);
  return `${plural(reports.length, "node")}: ${parts.join(", ") || "nothing to look at"}`;
}

/** One node in one line, for progress. */
export function nodeLine(report: NodeReport): string {
  const { name } = report.node;
  if ("error" in report) return textOf([`${name}: ${withoutName(report.error.message, name)}`]);
  return textOf([`${name}: ${"skipped" in report ? report.skipped : totalText([report]).replace(/^1 node: /, "")}`]);
}

/** The same as one JSON document. */
export function driftDocument(reports: NodeReport[]) {
  const nodes = reports.map((report) => {
    const { name } = report.node;
    if ("error" in report) {
      const { code, message, next } = report.error;
      return {
        node: name,
        state: errorState(report.error.exit),
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

function nodeRows(report: NodeReport, widest: number, view: DriftView): string[] {
  const { name } = report.node;
  if ("error" in report) {
    const { message, next, exit } = report.error;
    const why = [withoutName(message, name), ...(next === undefined ? [] : [`next: ${next}`])];
    return [row(widest, name, "", errorState(exit)), ...why.flatMap(indented)];
  }
  if ("skipped" in report)
    return view.rows === "all" ? [row(widest, name, "", "skipped"), ...indented(report.skipped)] : [];
  const shown = report.inspection.verdicts.filter(
    ({ state, notes }) => view.rows === "all" || state !== "ok" || notes.length > 0,
  );
  return shown.flatMap((verdict) => [
    row(widest, name, verdict.resource, verdict.state),
    ...verdictLines(verdict, view.diffs),
  ]);
}

function verdictLines({ differences, reason, next, notes }: Verdict, diffs: boolean): string[] {
  return [
    ...(reason === undefined ? [] : indented(reason)),
    ...(next === undefined ? [] : indented(`next: ${next}`)),
    ...differences.flatMap((one) => differenceLines(one, diffs)),
    ...notes.flatMap((note) => indented(`note: ${note}`)),
  ];
}

function differenceLines({ what, have, want, diff }: Difference, diffs: boolean): string[] {
  const line = indented(`${what}: ${have}; wanted: ${want}`);
  if (!diffs || diff === undefined) return line;
  return [...line, ...diff.trimEnd().split("\n").map(diffLine)];
}

/** A line of a unified diff begins with one of these characters; nothing else of a node does. */
function diffLine(line: string): string {
  return /^[-+@ \\]/.test(line) ? line : `    ${line}`;
}

/** A node held by another provision is reached, and busy. */
function errorState(exit: number): string {
  return exit === 75 ? "busy" : "unreachable";
}

function row(widest: number, node: string, resource: string, state: string): string {
  const room = WIDTH - widest - 2 - STATE - 2;
  const [name, what] = [shortened(node, widest), shortened(resource, room)];
  return `${padEndColumns(name, widest + 2)}${padEndColumns(what, room + 2)}${state}`.trimEnd();
}

function withoutName(message: string, name: string): string {
  return message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
}

/** Text below a row. */
function indented(text: string): string[] {
  return wrapped(text, "    ", WIDTH);
}

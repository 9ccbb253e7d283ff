import type { NodeReport } from "../playbooks/engine/inspecteachnode.js";
import type { Difference, ResourceState, Verdict } from "../playbooks/engine/resource.js";
import { countColumns, padToColumns, TERMINAL_COLUMNS } from "./columns.js";
import { formatCount, indentLines, pluralize, shortenMiddle, toOneLine, toPrintableText, wrapText } from "./format.js";
import { groupGpuDifferences } from "./gpudifferences.js";
import { formatTable, type ResultTable } from "./resulttable.js";

/** The length of the longest state, "needs reboot". */
const STATE_COLUMNS = 12;

/** All states, in the order in which they are counted. */
export const RESOURCE_STATES: ResourceState[] = ["ok", "changed", "drift", "needs reboot", "failed", "blocked"];

/** What is shown: all resources, or only those that are not in sync or have notes (`trouble`). */
export interface DriftView {
  rows: "all" | "trouble";
  diffs: boolean;
}

/** A row of the table with the lines below it. What several nodes have in common is one block. */
interface DriftBlock {
  nodes: string[];
  resource: string;
  state: string;
  details: string[];
}

/**
 * Returns a table of nodes and resources in inventory order, with differences below each row, and the total. What is the same on several
 * nodes is shown once. Without rows, only the total is returned.
 */
export function formatDrift(reports: readonly NodeReport[], view: DriftView): string {
  return formatTable(createDriftTable(mergeReports(reports, view).map(nameNodes), view), reports);
}

/** Returns the same table, to be printed in pieces: what is the same on several nodes of a piece is shown once. `names`: of the nodes. */
export function createDriftTable(names: readonly string[], view: DriftView): ResultTable<NodeReport> {
  const widest = Math.min(24, Math.max(4, ...names.map((name) => countColumns(toOneLine(name)))));
  return {
    head: formatRow(widest, "node", "resource", "state"),
    listRows: (reports) => mergeReports(reports, view).flatMap((block) => formatBlock(block, widest)),
    listTotal: (reports) => wrapText(formatDriftTotal(reports), "", TERMINAL_COLUMNS),
  };
}

function mergeReports(reports: readonly NodeReport[], view: DriftView): DriftBlock[] {
  return mergeBlocks(reports.flatMap((report) => listBlocks(report, view)));
}

/** Whether every node was inspected, or skipped on purpose, and nothing differs, failed or has notes. */
export function isInSync(reports: readonly NodeReport[]): boolean {
  return reports.every(
    (report) => !("error" in report) && listBlocks(report, { rows: "trouble", diffs: false }).length === 0,
  );
}

/** Returns a line with the number of resources in each state, and of nodes that were not inspected. */
export function formatDriftTotal(reports: readonly NodeReport[]): string {
  return `${pluralize(reports.length, "node")}: ${countStates(reports).join(", ") || "nothing to check"}`;
}

function countStates(reports: readonly NodeReport[]): string[] {
  const counts = new Map<string, number>();
  const add = (word: string) => counts.set(word, (counts.get(word) ?? 0) + 1);
  for (const report of reports)
    if ("inspection" in report) for (const { state } of report.inspection.verdicts) add(state);
  const states = RESOURCE_STATES.flatMap((state) => (counts.has(state) ? [{ state, count: counts.get(state)! }] : []));
  const parts = states.map(({ state, count }, index) => {
    const number = index === 0 ? pluralize(count, "resource") : formatCount(count);
    return `${number} ${describeState(state, count)}`;
  });
  const errors = reports.flatMap((report) => ("error" in report ? [stateOfError(report.error.exitStatus)] : []));
  const busy = errors.filter((state) => state === "busy").length;
  const unreachable = errors.length - busy;
  const skipped = reports.filter((report) => "skipped" in report).length;
  const notStarted = reports.filter((report) => "notStarted" in report).length;
  if (skipped > 0) parts.push(`${pluralize(skipped, "node")} not rebooted`);
  if (notStarted > 0) parts.push(`${pluralize(notStarted, "node")} not started`);
  if (busy > 0) parts.push(`${pluralize(busy, "node")} busy`);
  if (unreachable > 0) parts.push(`${pluralize(unreachable, "node")} unreachable`);
  return parts;
}

/** Returns a state as it follows a number of resources. */
function describeState(state: ResourceState, count: number): string {
  if (state === "drift") return "with drift";
  if (state === "needs reboot") return count === 1 ? "needs a reboot" : "need a reboot";
  return state;
}

/** Returns a line about the playbooks that are included because others need them; undefined where there are none. */
export function formatIncludedPlaybooks(
  playbooks: readonly { name: string; neededBy?: string | undefined }[],
): string | undefined {
  const included = playbooks.flatMap(({ name, neededBy }) =>
    neededBy === undefined ? [] : [`${name} (${neededBy} needs it)`],
  );
  return included.length === 0 ? undefined : toPrintableText([`included: ${included.join(", ")}`]);
}

/** Returns a line about a node, for progress. */
export function formatNodeReport(report: NodeReport): string {
  const { name } = report.node;
  if ("error" in report) return toPrintableText([`${name}: ${report.error.textFor(name)}`]);
  if ("notStarted" in report) return toPrintableText([`${name}: not started: ${report.notStarted}`]);
  const text = "skipped" in report ? report.skipped : countStates([report]).join(", ") || "nothing to check";
  return toPrintableText([`${name}: ${text}`]);
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
    if ("notStarted" in report) return { node: name, state: "not started", reason: report.notStarted, resources: [] };
    const { verdicts, fingerprint } = report.inspection;
    const inSync = verdicts.every(({ state }) => state === "ok" || state === "changed");
    return { node: name, state: inSync ? "in sync" : "differs", fingerprint, resources: verdicts };
  });
  return { nodes };
}

function listBlocks(report: NodeReport, view: DriftView): DriftBlock[] {
  const nodes = [report.node.name];
  if ("error" in report) {
    const { next, exitStatus } = report.error;
    const why = [report.error.textFor(report.node.name), ...(next === undefined ? [] : [`next: ${next}`])];
    return [{ nodes, resource: "", state: stateOfError(exitStatus), details: why.flatMap(indentLines) }];
  }
  if ("skipped" in report)
    return view.rows === "all" ? [{ nodes, resource: "", state: "skipped", details: indentLines(report.skipped) }] : [];
  if ("notStarted" in report)
    return [{ nodes, resource: "", state: "not started", details: indentLines(report.notStarted) }];
  return report.inspection.verdicts
    .filter(({ state, notes }) => view.rows === "all" || state !== "ok" || notes.length > 0)
    .map((verdict) => {
      const { resource, state } = verdict;
      return { nodes, resource, state, details: formatVerdict(verdict, view.diffs) };
    });
}

/** Merges blocks that differ only in their nodes. Resources that are ok stay apart, each with its node. */
function mergeBlocks(blocks: DriftBlock[]): DriftBlock[] {
  const merged = new Map<string, DriftBlock>();
  for (const block of blocks) {
    const { nodes, resource, state, details } = block;
    const key = JSON.stringify([resource, state, details, state === "ok" && details.length === 0 ? nodes : []]);
    const found = merged.get(key);
    merged.set(key, found === undefined ? block : { ...found, nodes: [...found.nodes, ...nodes] });
  }
  return [...merged.values()];
}

function formatBlock(block: DriftBlock, widest: number): string[] {
  const { nodes, resource, state, details } = block;
  const names = nodes.length === 1 ? [] : indentLines(`on ${nodes.map(toOneLine).join(", ")}`);
  return [formatRow(widest, nameNodes(block), resource, state), ...names, ...details];
}

function nameNodes({ nodes }: DriftBlock): string {
  return nodes.length === 1 ? nodes[0]! : pluralize(nodes.length, "node");
}

function formatVerdict({ differences, reason, next, notes }: Verdict, diffs: boolean): string[] {
  const { gpus, others } = groupGpuDifferences(differences);
  return [
    ...(reason === undefined ? [] : indentLines(reason)),
    ...(next === undefined ? [] : indentLines(`next: ${next}`)),
    ...gpus,
    ...others.flatMap((one) => formatDifference(one, diffs)),
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

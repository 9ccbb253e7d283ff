import type { CacheReport } from "../executor/run/node/cachereport.js";
import type { NodeOutcome } from "../fleet/eachnode.js";
import { countColumns, padToColumns } from "./columns.js";
import { formatBytes, formatCount, formatDuration, toOneLine, toPrintableText } from "./format.js";

type CacheOutcome = NodeOutcome<CacheReport>;

const HEAD = ["node", "size", "limit", "files", "builds", "in use", "last used"];
const KIND_NAMES = { contents: "file", builds: "build" } as const;

/** Returns the table of `muster cache`: a row for each node. `detail`: `all` adds a line for each entry that was used lately. */
export function formatCacheTable(outcomes: CacheOutcome[], detail: "usual" | "all"): string {
  const rows = outcomes.map((outcome) => ({ outcome, cells: listCells(outcome) }));
  const widths = HEAD.map((title, column) =>
    Math.max(title.length, ...rows.map(({ cells }) => countColumns(cells[column] ?? ""))),
  );
  const format = (cells: string[]) =>
    cells.map((cell, column) => (column === cells.length - 1 ? cell : padToColumns(cell, widths[column]!))).join("  ");
  return toPrintableText([
    format(HEAD),
    ...rows.flatMap(({ outcome, cells }) => [
      format(cells),
      ...listProblems(outcome),
      ...(detail === "all" ? listEntries(outcome) : []),
    ]),
  ]);
}

/** Returns what went wrong on nodes; "" where nothing did. */
export function formatCacheProblems(outcomes: CacheOutcome[]): string {
  return toPrintableText(outcomes.flatMap((outcome) => listProblems(outcome)));
}

/** Returns a line about a node, for progress. */
export function formatCacheLine(outcome: CacheOutcome): string {
  const { name } = outcome.node;
  if ("error" in outcome) return toPrintableText([`${name}: ${outcome.error.textFor(name)}`]);
  const { removed, removedBytes = 0 } = outcome.value;
  const size = formatBytes(sizeOf(outcome.value));
  const change =
    removed === undefined
      ? ""
      : `; removed ${formatBytes(removedBytes)} (${removed === 1 ? "1 entry" : `${formatCount(removed)} entries`})`;
  return toPrintableText([`${name}: ${size} in the cache${change}`]);
}

/** Returns the result as one JSON document. */
export function buildCacheDocument(outcomes: CacheOutcome[]) {
  return {
    nodes: outcomes.map((outcome) => {
      const node = outcome.node.name;
      if (!("error" in outcome)) return { node, ...outcome.value, bytes: sizeOf(outcome.value) };
      const { code, message, next } = outcome.error;
      return { node, code, reason: message, next: next ?? null };
    }),
  };
}

function listCells(outcome: CacheOutcome): string[] {
  const name = toOneLine(outcome.node.name);
  if ("error" in outcome) return [name, "not usable"];
  const report = outcome.value;
  if (report.problem !== undefined) return [name, "not used"];
  if (report.count === 0) return [name, "empty"];
  const { contents, builds, usedBytes = 0, limit, oldest = 0, entries } = report;
  const newest = entries[0]?.age ?? oldest;
  return [
    name,
    formatBytes(sizeOf(report)),
    limit === undefined || limit === 0 ? "" : formatBytes(limit),
    `${contents?.count ?? 0}`,
    `${builds?.count ?? 0}`,
    formatBytes(usedBytes),
    newest === oldest ? `${formatDuration(newest)} ago` : `${formatDuration(newest)} to ${formatDuration(oldest)} ago`,
  ];
}

function listProblems(outcome: CacheOutcome): string[] {
  const { name } = outcome.node;
  if ("error" in outcome) {
    const { error } = outcome;
    return [
      `  ${toOneLine(error.textFor(name))}`,
      ...(error.next === undefined ? [] : [`    ${toOneLine(error.next)}`]),
    ];
  }
  return outcome.value.problem === undefined ? [] : [`  ${toOneLine(outcome.value.problem)}`];
}

function listEntries(outcome: CacheOutcome): string[] {
  if ("error" in outcome) return [];
  const { entries, count } = outcome.value;
  const lines = entries.map(({ kind, name, bytes, age, used }) => {
    const state = used ? "in use" : `used ${formatDuration(age)} ago`;
    return `  ${KIND_NAMES[kind].padEnd(5)}  ${formatBytes(bytes).padStart(9)}  ${toOneLine(name)}  ${state}`;
  });
  return count > entries.length ? [...lines, `  and ${count - entries.length} more`] : lines;
}

function sizeOf({ contents, builds }: CacheReport): number {
  return (contents?.bytes ?? 0) + (builds?.bytes ?? 0);
}

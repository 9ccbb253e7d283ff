import { formatBytes } from "../schemas/bytecount.js";
import { escapeUnsafe } from "../schemas/escape.js";
import { formatCount, formatDuration } from "../schemas/numbertext.js";
import { countColumns, TERMINAL_COLUMNS, takeColumns, takeLastColumns } from "./columns.js";

export { escapeUnsafe, formatBytes, formatCount, formatDuration };

/** Formats a rate: "512/s", "29.0k/s", "1.25M/s". */
export function formatRate(perSecond: number): string {
  return `${formatWithPrefix(perSecond)}/s`;
}

/** Formats a number with three digits and an SI prefix: "512", "29.0k", "1.25M". */
export function formatWithPrefix(value: number): string {
  for (const [size, prefix] of [
    [1e18, "E"],
    [1e15, "P"],
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const)
    if (value >= size) return `${(value / size).toPrecision(3)}${prefix}`;
  return value.toPrecision(value >= 100 ? 3 : 2);
}

/** Formats a count with its noun: "1 chunk", "2 chunks". */
export function pluralize(value: number | bigint, word: string): string {
  return `${formatCount(value)} ${word}${value === 1 || value === 1n ? "" : "s"}`;
}

/** Longer lines are truncated. No text of muster itself is that long. */
const MAX_LINE_COLUMNS = 4000;

/**
 * Joins lines into one printable text. Line breaks within a line are followed by an indent, so that text from a node cannot imitate a
 * line of muster. All texts of report/ are joined by this function.
 */
export function toPrintableText(lines: string[]): string {
  return lines
    .map((line) =>
      escapeUnsafe(line.replace(/\n(?! {4})/g, "\n    "))
        .split("\n")
        .map(truncateLine)
        .join("\n"),
    )
    .join("\n");
}

function truncateLine(line: string): string {
  if (line.length <= MAX_LINE_COLUMNS) return line;
  const shown = takeColumns(line, MAX_LINE_COLUMNS);
  return `${shown}… (${formatCount(line.length - shown.length)} more characters)`;
}

/** Returns a printable text on one line. */
export function toOneLine(text: string): string {
  return escapeUnsafe(text.replace(/[\n\t]/g, " "));
}

/** Returns a text on one line, shortened in the middle to `width` columns. Paths differ mostly at their ends. */
export function shortenMiddle(text: string, width: number): string {
  const name = toOneLine(text);
  if (countColumns(name) <= width) return name;
  const head = Math.floor((width - 1) / 3);
  return `${takeColumns(name, head)}…${takeLastColumns(name, width - 1 - head)}`;
}

/** Returns a text on one line, truncated to `width` columns. */
export function truncateEnd(text: string, width: number): string {
  const line = toOneLine(text);
  return countColumns(line) <= width ? line : `${takeColumns(line, width - 1)}…`;
}

/** Wraps a text that belongs below a row of a table, and indents it. */
export function indentLines(text: string): string[] {
  return wrapText(text, "    ", TERMINAL_COLUMNS);
}

/** Wraps a printable text at spaces to `width` columns. Further lines are indented by two more spaces. Long words are not broken. */
export function wrapText(text: string, indent: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of escapeUnsafe(text).split(/\s+/)) {
    if (line !== "" && countColumns(`${indent}${line} ${word}`) > width) {
      lines.push(line);
      line = `  ${word}`;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((one) => indent + one);
}

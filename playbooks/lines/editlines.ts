import type { WantedLine } from "../../fleet/nodestate.js";

/**
 * Pure: returns the text of a file in which all wanted lines and blocks are there. Everything else stays as it is; new lines end as the
 * first line of the file does. An edited text is not changed by a second pass.
 */
export function editLines(text: string, wanted: readonly WantedLine[]): string {
  return wanted.reduce((edited, one) => editOne(edited, one), text);
}

/** Returns what is wrong with a wanted line; undefined = nothing. */
export function findLineProblem({ line, match, absent, block }: WantedLine): string | undefined {
  if ([line, absent, block].filter((one) => one !== undefined).length !== 1)
    return "needs exactly one of line, absent and block";
  if (match !== undefined && line === undefined) return "has a match, but no line";
  for (const pattern of [match, absent]) {
    try {
      if (pattern !== undefined) new RegExp(pattern, "u");
    } catch (error) {
      return `has an invalid regular expression: ${(error as Error).message}`;
    }
  }
  if (match !== undefined && line !== undefined && !new RegExp(match, "u").test(line))
    return "has a match that its own line does not match, so each provision would add it again";
  return undefined;
}

function editOne(text: string, { line, match, absent, block, name = "muster", comment = "#" }: WantedLine): string {
  if (absent !== undefined) return removeLines(text, new RegExp(absent, "u"));
  if (block !== undefined) return placeBlock(text, block, `${comment} BEGIN ${name}`, `${comment} END ${name}`);
  return line === undefined ? text : placeLine(text, line, match);
}

function removeLines(text: string, pattern: RegExp): string {
  return splitLines(text)
    .filter((one) => !pattern.test(withoutBreak(one)))
    .join("");
}

function placeLine(text: string, line: string, match: string | undefined): string {
  const lines = splitLines(text);
  const pattern = match === undefined ? undefined : new RegExp(match, "u");
  const at = lines.findLastIndex((one) =>
    pattern === undefined ? withoutBreak(one) === line : pattern.test(withoutBreak(one)),
  );
  if (at < 0) return `${withBreakAtEnd(text)}${line}${lineBreakOf(text)}`;
  const old = lines[at]!;
  lines[at] = line + old.slice(withoutBreak(old).length);
  return lines.join("");
}

/** Replaces the lines between the marks, or appends the block with them. A mark without its other half stays an ordinary line. */
function placeBlock(text: string, block: string, begin: string, end: string): string {
  const lines = splitLines(text);
  const lineBreak = lineBreakOf(text);
  const wanted = [begin, ...block.replace(/\n$/, "").split("\n"), end].map((one) => one + lineBreak);
  const first = lines.findIndex((one) => withoutBreak(one) === begin);
  const to = first < 0 ? -1 : lines.findIndex((one, index) => index > first && withoutBreak(one) === end);
  const from = lines.findLastIndex((one, index) => index < to && withoutBreak(one) === begin);
  if (to < 0) return withBreakAtEnd(text) + wanted.join("");
  return [...lines.slice(0, from), ...wanted, ...lines.slice(to + 1)].join("");
}

/** Lines with their breaks. */
function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function withoutBreak(line: string): string {
  return line.replace(/\r?\n$/, "");
}

function lineBreakOf(text: string): string {
  return /^[^\n]*\r(?:\n|$)/.test(text) ? "\r\n" : "\n";
}

function withBreakAtEnd(text: string): string {
  return text === "" || text.endsWith("\n") ? text : text + lineBreakOf(text);
}

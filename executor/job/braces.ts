import { findNearest } from "../../schemas/suggest.js";

/** A problem of a text with placeholders. */
export interface TemplateFault {
  message: string;
  hint: string;
}

/** Pieces of a template: doubled braces, names in braces, single braces, other text. */
const PIECES = /\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+/g;
/** The pieces of a text in which no brace has been doubled yet. */
const UNDOUBLED_PIECES = /\{[^{}]*\}|[{}]|[^{}]+/g;

const MAX_SHOWN_CHARS = 400;
const MAX_QUOTED_CHARS = 40;
const MAX_LISTED_NAMES = 30;

/** Splits a text into doubled braces, names in braces, single braces, and what is between them. */
export function splitAtBraces(text: string): string[] {
  return text.match(PIECES) ?? [];
}

/** Whether a piece is neither text, nor doubled braces, nor one of the `known` placeholders in braces. */
export function isStray(piece: string, known: ReadonlySet<string>): boolean {
  if (!/^[{}]/.test(piece) || piece === "{{" || piece === "}}") return false;
  return !known.has(piece.slice(1, -1)) || piece.length === 1;
}

/**
 * Explains the braces of a text that belong to no placeholder, all of them in one fault. Its hint shows the text as it has
 * to be written for these braces to reach the program. undefined = there are none.
 */
export function findBraceFault(text: string, known: ReadonlySet<string>): TemplateFault | undefined {
  const strays = splitAtBraces(text).filter((piece) => isStray(piece, known));
  if (strays.length === 0) return undefined;
  const doubled = doubleBraces(text, known);
  const misspelt = strays.find((piece) => nearestName(piece, known) !== undefined);
  if (misspelt !== undefined) {
    const hint = `did you mean {${nearestName(misspelt, known)}}? For literal braces write ${doubled}`;
    return { message: describeStray(misspelt), hint };
  }
  const [group, isLeftOpen] = findFirstGroup(text, known);
  if (!isName(group)) return { message: describeStray(group, isLeftOpen), hint: `write ${doubled}` };
  const names = [...known].slice(0, MAX_LISTED_NAMES).map((name) => `{${name}}`);
  return { message: describeStray(group), hint: `known here: ${names.join(" ")}; for literal braces write ${doubled}` };
}

function isName(piece: string): boolean {
  return /^\{[A-Za-z_][A-Za-z0-9_-]*\}$/.test(piece);
}

/** Returns the placeholder that a name in braces is probably a misspelling of. A single letter is like any other one. */
function nearestName(piece: string, known: ReadonlySet<string>): string | undefined {
  return isName(piece) && piece.length > 3 ? findNearest(piece.slice(1, -1), known) : undefined;
}

function describeStray(piece: string, isLeftOpen = false): string {
  if (isLeftOpen) return 'a "{" is not closed';
  if (piece === "}") return 'a "}" has no matching "{"';
  if (isName(piece)) return `unknown placeholder ${piece}`;
  return `"${clip(piece, 0, MAX_QUOTED_CHARS)}" is not a placeholder`;
}

/** Returns the text with every brace doubled that is neither part of a placeholder nor doubled already, clipped. */
function doubleBraces(text: string, known: ReadonlySet<string>): string {
  let doubled = "";
  let firstChange: number | undefined;
  for (const piece of choosePieces(text)) {
    const changed = isStray(piece, known) ? piece.replace(/[{}]/g, "$&$&") : piece;
    if (changed !== piece) firstChange ??= doubled.length;
    doubled += changed;
  }
  return clip(doubled.replace(/\n+$/, ""), firstChange ?? 0, MAX_SHOWN_CHARS);
}

/**
 * Returns the pieces of a text as its writer meant them: "}}" may be a doubled brace, or two that close nested ones, as at
 * the end of {"a": {"b": {}}}. The reading in which the braces are balanced is taken.
 */
function choosePieces(text: string): string[] {
  const pieces = splitAtBraces(text);
  if (isBalanced(pieces)) return pieces;
  const undoubled = text.match(UNDOUBLED_PIECES) ?? [];
  return isBalanced(undoubled) ? undoubled : pieces;
}

function isBalanced(pieces: string[]): boolean {
  let depth = 0;
  for (const piece of pieces) {
    depth += changeDepth(piece);
    if (depth < 0) return false;
  }
  return depth === 0;
}

/** Returns by how much a piece changes how deep in braces the text is. */
function changeDepth(piece: string): number {
  if (piece === "{" || piece === "{{") return 1;
  return piece === "}" || piece === "}}" ? -1 : 0;
}

/** Returns the first braces that belong to no placeholder, with what is in them, and whether they are never closed. */
function findFirstGroup(text: string, known: ReadonlySet<string>): [group: string, isLeftOpen: boolean] {
  const pieces = choosePieces(text);
  const rest = pieces.slice(pieces.findIndex((piece) => isStray(piece, known)));
  if (rest[0] !== "{") return [rest[0]!, false];
  let depth = 0;
  for (const [index, piece] of rest.entries()) {
    depth += changeDepth(piece);
    if (depth === 0) return [rest.slice(0, index + 1).join(""), false];
  }
  return ["{", true];
}

/** Returns at most `width` characters of a text, from a little before the index `from` on. */
function clip(text: string, from: number, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  const at = Math.min([...text.slice(0, from)].length, characters.length - 1);
  const start = at < width / 2 ? 0 : Math.min(at - Math.floor(width / 4), characters.length - width);
  const end = start + width;
  const shown = characters.slice(start, end).join("");
  return `${start > 0 ? "..." : ""}${shown}${end < characters.length ? "..." : ""}`;
}

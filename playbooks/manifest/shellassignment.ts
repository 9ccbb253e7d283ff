import { findAssignments, findPieceEnd } from "./shellscanner.js";
import {
  createValueEditor,
  type FindResult,
  type FoundValue,
  type ScalarValue,
  type ValueEditor,
} from "./valueeditor.js";

/** Values that need no quotes. */
const UNQUOTED = /^[\w@%+:,./-]+$/;
/** `${NAME:-value}`, alone or in double quotes: the value applies unless the caller sets another one. */
const BEFORE_DEFAULT = /\$\{\w+:?[-=]$/;
const DEFAULT = /^("?)\$\{\w+:?[-=]([\w@%+:,./-]*)\}\1$/;

/**
 * Returns an editor for the assignments `NAME=value` of a shell script, also after `export`, `readonly` or `local`, and in the form
 * `NAME=${NAME:-value}`. Keeps quotes and comments. Computed assignments (`NAME="$2"`) are ignored if there is one with a literal value.
 */
export function createShellEditor(name: string): ValueEditor {
  return createValueEditor((text) => findShellValues(text, name), formatShellWord);
}

function findShellValues(text: string, name: string): FindResult {
  const ours = findAssignments(text).filter((one) => one.name === name);
  const found = ours.flatMap(({ value, start }) => parseLiteral(value, start));
  if (found.length > 0) return { found };
  if (ours.length === 0) return { problem: `has no assignment ${name}=...` };
  return { problem: `computes ${name} when it runs (${JSON.stringify(ours[0]!.value.slice(0, 80))})` };
}

/** The literal text of a word; an empty list if it is known at run time only. */
function parseLiteral(word: string, start: number): FoundValue[] {
  const fallback = DEFAULT.exec(word);
  if (fallback !== null) {
    const text = fallback[2]!;
    const from = start + word.lastIndexOf("}") - text.length;
    return [{ kind: "untyped", text, start: from, end: from + text.length }];
  }
  let text = "";
  for (let at = 0; at < word.length; ) {
    const end = findPieceEnd(word, at);
    const piece = unquote(word.slice(at, end));
    if (piece === undefined) return [];
    text += piece;
    at = end;
  }
  return [{ kind: "untyped", text, start, end: start + word.length }];
}

function unquote(piece: string): string | undefined {
  if (piece.startsWith("'")) return piece.length > 1 && piece.endsWith("'") ? piece.slice(1, -1) : undefined;
  if (piece.startsWith("\\")) return piece === "\\\n" ? "" : piece.slice(1);
  if (!piece.startsWith('"')) return /[$`~]/.test(piece) ? undefined : piece;
  if (piece.length < 2 || !piece.endsWith('"')) return undefined;
  const inside = piece.slice(1, -1);
  if (/(^|[^\\])(\\\\)*[$`]/.test(inside)) return undefined;
  return inside.replace(/\\([\\"$`\n])/g, (_, sign: string) => (sign === "\n" ? "" : sign));
}

function formatShellWord(value: ScalarValue, place: FoundValue, text: string): string | undefined {
  if (value.text.includes("\0")) return undefined;
  const isPlain = UNQUOTED.test(value.text);
  if (BEFORE_DEFAULT.test(text.slice(0, place.start))) return isPlain ? value.text : undefined;
  const quote = text[place.start];
  if (quote === '"') return `"${value.text.replace(/[\\"$`]/g, "\\$&")}"`;
  if (quote === "'" || !isPlain) return `'${value.text.replaceAll("'", "'\\''")}'`;
  return value.text;
}

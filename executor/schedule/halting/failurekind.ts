import type { Failure } from "../events.js";

/** The longest text that is compared. */
const MAX_CHARS = 400;

/**
 * What differs from chunk to chunk in messages of one cause, most special first: quoted text, paths, names of files, and numbers, also
 * within words.
 */
const VARIABLE_PARTS = [/(["'`])[^"'`]*\1/g, /\S*\/\S*/g, /[\w-]+\.[a-z][a-z0-9]{0,5}\b/g, /(?:0x[0-9a-f]+|\d)+/gi];

/**
 * Returns a text that is equal for failures alike: their programs ended in the same way, and the reason and the last line of stderr differ
 * only in numbers, paths and quoted names.
 */
export function findFailureKind({ exit, signal, reason, stderr }: Failure): string {
  const lastLine = stderr.slice(-MAX_CHARS).trimEnd().split("\n").at(-1) ?? "";
  return JSON.stringify([exit, signal, removeVariableParts(reason), removeVariableParts(lastLine)]);
}

function removeVariableParts(text: string): string {
  return VARIABLE_PARTS.reduce((rest, part) => rest.replace(part, "*"), text.slice(0, MAX_CHARS));
}

import type { Manifest, ValueLocation } from "../../fleet/inventory.js";
import { formatBytes } from "../../schemas/bytecount.js";
import { decodeBytes } from "../../schemas/bytetext.js";
import type { Difference, FileState } from "../engine/resource.js";
import { type FoundValue, isSameScalar, isWantedValue, lineNumberAt, toScalarValue } from "./valueeditor.js";
import { createEditor, formatLocation } from "./valuelocation.js";

/** The largest supported file. */
export const MAX_MANIFEST_BYTES = 1024 * 1024;

/** The byte order marks of UTF-16, little and big endian. */
const UTF_16_MARKS = ["fffe", "feff"];

/** The values at one location: every occurrence, in the order of the file. */
type LocatedValues =
  | { location: ValueLocation; text: string; found: FoundValue[] }
  | { location: ValueLocation; problem: string };

/** Pure: lists the files whose value is not the wanted one. `files`: the states of the manifest's files, in its order. */
export function diffManifest(manifest: Manifest, files: FileState[]): Difference[] {
  const want = toScalarValue(manifest.value, manifest.text);
  const located = manifest.in.map((location, index) => locateValues(location, files[index]));
  const wrong = located.flatMap((one): Difference[] => {
    if ("problem" in one)
      return [{ what: one.location.file, have: one.problem, want: `${formatLocation(one.location)} = ${want.text}` }];
    return one.found
      .filter((found) => !isWantedValue(want, found))
      .map((found) => ({ what: formatValueLocation(one, found), have: formatFoundValue(found), want: want.text }));
  });
  return [...diffLocations(manifest, located), ...wrong];
}

/** A difference that shows contradicting values side by side, and which of them counts at run time. */
function diffLocations(manifest: Manifest, located: LocatedValues[]): Difference[] {
  const values = located.flatMap((one) => ("found" in one ? one.found.map((found) => ({ one, found })) : []));
  const winner = values.at(-1);
  if (winner === undefined || values.every(({ found }) => isSameScalar(winner.found, found))) return [];
  const list = values.map(({ one, found }) => {
    const wins = found === winner.found ? " (wins at run time)" : "";
    return `${formatFoundValue(found)} in ${formatValueLocation(one, found)}${wins}`;
  });
  return [
    { what: `${manifest.name} disagrees with itself`, have: list.join(" | "), want: `${manifest.text} everywhere` },
  ];
}

/**
 * Sets the value at all locations in a file. Returns the new text, for `encodeBytes` (undefined: the file cannot be read), and the
 * problems.
 */
export function replaceValues(
  manifest: Manifest,
  file: string,
  state: FileState,
): { text?: string; problems: string[] } {
  const want = toScalarValue(manifest.value, manifest.text);
  const locations = manifest.in.filter((location) => location.file === file);
  const content = readManifestText(state);
  if ("problem" in content) return { problems: [`${file} ${content.problem}`] };
  const problems: string[] = [];
  const text = locations.reduce((before, location) => {
    const replaced = createEditor(location).replace(before, want);
    if ("text" in replaced) return replaced.text;
    problems.push(`${file} (${formatLocation(location)}): ${replaced.problem}`);
    return before;
  }, content.text);
  return { text, problems };
}

function locateValues(location: ValueLocation, state: FileState | undefined): LocatedValues {
  const content = readManifestText(state);
  if ("problem" in content) return { location, problem: content.problem };
  const reading = createEditor(location).find(content.text);
  return "problem" in reading
    ? { location, problem: reading.problem }
    : { location, text: content.text, found: reading.found };
}

/**
 * Returns a file's text as `decodeBytes` does, including a byte order mark, or the problem that keeps it from being read. Text in another
 * encoding beside the value is kept byte for byte.
 */
function readManifestText(state: FileState | undefined): { text: string } | { problem: string } {
  if (state === undefined || state.error !== undefined) return { problem: `cannot be read: ${state?.error ?? "?"}` };
  if (state.kind === "missing") return { problem: "is missing" };
  if (state.kind === "link") return { problem: `is a link to ${state.target ?? "?"}; name that file instead` };
  if (state.kind !== "file") return { problem: `is a ${state.kind === "folder" ? "folder" : "device"}, not a file` };
  if (state.content === undefined) return { problem: `is larger than ${formatBytes(MAX_MANIFEST_BYTES)}` };
  const bytes = Buffer.from(state.content, "base64");
  if (UTF_16_MARKS.includes(bytes.toString("hex", 0, 2))) return { problem: "is UTF-16 text; save it as UTF-8" };
  return { text: decodeBytes(bytes) };
}

function formatValueLocation(one: { location: ValueLocation; text: string }, found: FoundValue): string {
  return `${one.location.file}:${lineNumberAt(one.text, found.start)} ${formatLocation(one.location)}`;
}

/** Formats a value for a message, cut at 80 characters. */
function formatFoundValue(found: FoundValue): string {
  const text = found.kind === "text" ? JSON.stringify(found.text) : found.text;
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  return found.ambiguity === undefined ? shown : `${shown} (${found.ambiguity})`;
}

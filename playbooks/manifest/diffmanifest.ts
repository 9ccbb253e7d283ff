import { isUtf8 } from "node:buffer";
import type { Manifest, ValueLocation } from "../../fleet/inventory.js";
import type { Difference, FileState } from "../engine/resource.js";
import { type FoundValue, isSameScalar, lineNumberAt, toScalarValue } from "./valueeditor.js";
import { createEditor, formatLocation } from "./valuelocation.js";

/** Bytes of a file that holds a value. */
export const MAX_MANIFEST_BYTES = 1024 * 1024;

/** What stands at one spot: every occurrence, in the file's order. */
type LocatedValues =
  | { spot: ValueLocation; text: string; found: FoundValue[] }
  | { spot: ValueLocation; problem: string };

/** Pure: how a value differs from what its files hold, `files` being theirs in the manifest's order. */
export function diffManifest(manifest: Manifest, files: FileState[]): Difference[] {
  const want = toScalarValue(manifest.value, manifest.text);
  const standings = manifest.in.map((spot, index) => locateValues(spot, files[index]));
  const wrong = standings.flatMap((one): Difference[] => {
    if ("problem" in one)
      return [{ what: one.spot.file, have: one.problem, want: `${formatLocation(one.spot)} = ${want.text}` }];
    return one.found
      .filter((found) => !isSameScalar(want, found))
      .map((found) => ({ what: formatValueLocation(one, found), have: formatFoundValue(found), want: want.text }));
  });
  return [...diffLocations(manifest, standings), ...wrong];
}

/** Two places that say different things, side by side: the reader must know which one counts. */
function diffLocations(manifest: Manifest, standings: LocatedValues[]): Difference[] {
  const said = standings.flatMap((one) => ("found" in one ? one.found.map((found) => ({ one, found })) : []));
  const winner = said.at(-1);
  if (winner === undefined || said.every(({ found }) => isSameScalar(winner.found, found))) return [];
  const list = said.map(({ one, found }) => {
    const wins = found === winner.found ? " (wins at run time)" : "";
    return `${formatFoundValue(found)} in ${formatValueLocation(one, found)}${wins}`;
  });
  return [
    { what: `${manifest.name} disagrees with itself`, have: list.join(" | "), want: `${manifest.text} everywhere` },
  ];
}

/** A file's new text (undefined: it has none) with the value at all of the file's spots, and why it is not at others. */
export function replaceValues(
  manifest: Manifest,
  file: string,
  state: FileState,
): { text?: string; problems: string[] } {
  const want = toScalarValue(manifest.value, manifest.text);
  const spots = manifest.in.filter((spot) => spot.file === file);
  const content = readManifestText(state);
  if ("problem" in content) return { problems: [`${file} ${content.problem}`] };
  const problems: string[] = [];
  const text = spots.reduce((before, spot) => {
    const writing = createEditor(spot).replace(before, want);
    if ("text" in writing) return writing.text;
    problems.push(`${file} (${formatLocation(spot)}): ${writing.problem}`);
    return before;
  }, content.text);
  return { text, problems };
}

function locateValues(spot: ValueLocation, state: FileState | undefined): LocatedValues {
  const content = readManifestText(state);
  if ("problem" in content) return { spot, problem: content.problem };
  const reading = createEditor(spot).find(content.text);
  return "problem" in reading ? { spot, problem: reading.problem } : { spot, text: content.text, found: reading.found };
}

/** A file's text, or why there is none; a byte order mark stays in it. */
export function readManifestText(state: FileState | undefined): { text: string } | { problem: string } {
  if (state === undefined || state.error !== undefined) return { problem: `cannot be read: ${state?.error ?? "?"}` };
  if (state.kind === "missing") return { problem: "is missing" };
  if (state.kind === "link") return { problem: `is a link to ${state.target ?? "?"}; name that file instead` };
  if (state.kind !== "file") return { problem: `is no file but a ${state.kind === "folder" ? "folder" : "device"}` };
  if (state.content === undefined) return { problem: `is larger than ${MAX_MANIFEST_BYTES} bytes` };
  const bytes = Buffer.from(state.content, "base64");
  return isUtf8(bytes) ? { text: bytes.toString("utf8") } : { problem: "is not UTF-8 text" };
}

function formatValueLocation(one: { spot: ValueLocation; text: string }, found: FoundValue): string {
  return `${one.spot.file}:${lineNumberAt(one.text, found.start)} ${formatLocation(one.spot)}`;
}

/** What a node's file says is shown, but not all of it. */
function formatFoundValue(found: FoundValue): string {
  const text = found.kind === "text" ? JSON.stringify(found.text) : found.text;
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

import { isUtf8 } from "node:buffer";
import type { Manifest, Spot } from "../../fleet/inventory.js";
import type { Difference, FileState } from "../engine/resource.js";
import { formOf, spotName } from "./form.js";
import { type Found, isSame, lineOf, scalarOf } from "./value.js";

/** Bytes of a file that holds a value. */
export const LARGEST = 1024 * 1024;

/** What stands at one spot: every occurrence, in the file's order. */
type Standing = { spot: Spot; text: string; found: Found[] } | { spot: Spot; problem: string };

/** Pure: how a value differs from what its files hold, `files` being theirs in the manifest's order. */
export function manifestDifferences(manifest: Manifest, files: FileState[]): Difference[] {
  const want = scalarOf(manifest.value, manifest.text);
  const standings = manifest.in.map((spot, index) => standing(spot, files[index]));
  const wrong = standings.flatMap((one): Difference[] => {
    if ("problem" in one)
      return [{ what: one.spot.file, have: one.problem, want: `${spotName(one.spot)} = ${want.text}` }];
    return one.found
      .filter((found) => !isSame(want, found))
      .map((found) => ({ what: placeName(one, found), have: shown(found), want: want.text }));
  });
  return [...disagreement(manifest, standings), ...wrong];
}

/** Two places that say different things, side by side: the reader must know which one counts. */
function disagreement(manifest: Manifest, standings: Standing[]): Difference[] {
  const said = standings.flatMap((one) => ("found" in one ? one.found.map((found) => ({ one, found })) : []));
  const winner = said.at(-1);
  if (winner === undefined || said.every(({ found }) => isSame(winner.found, found))) return [];
  const list = said.map(({ one, found }) => {
    const wins = found === winner.found ? " (wins at run time)" : "";
    return `${shown(found)} in ${placeName(one, found)}${wins}`;
  });
  return [
    { what: `${manifest.name} disagrees with itself`, have: list.join(" | "), want: `${manifest.text} everywhere` },
  ];
}

/** A file's new text (undefined: it has none) with the value at all of the file's spots, and why it is not at others. */
export function mended(manifest: Manifest, file: string, state: FileState): { text?: string; problems: string[] } {
  const want = scalarOf(manifest.value, manifest.text);
  const spots = manifest.in.filter((spot) => spot.file === file);
  const content = textOf(state);
  if ("problem" in content) return { problems: [`${file} ${content.problem}`] };
  const problems: string[] = [];
  const text = spots.reduce((before, spot) => {
    const writing = formOf(spot).write(before, want);
    if ("text" in writing) return writing.text;
    problems.push(`${file} (${spotName(spot)}): ${writing.problem}`);
    return before;
  }, content.text);
  return { text, problems };
}

function standing(spot: Spot, state: FileState | undefined): Standing {
  const content = textOf(state);
  if ("problem" in content) return { spot, problem: content.problem };
  const reading = formOf(spot).read(content.text);
  return "problem" in reading ? { spot, problem: reading.problem } : { spot, text: content.text, found: reading.found };
}

/** A file's text, or why there is none; a byte order mark stays in it. */
export function textOf(state: FileState | undefined): { text: string } | { problem: string } {
  if (state === undefined || state.error !== undefined) return { problem: `cannot be read: ${state?.error ?? "?"}` };
  if (state.kind === "missing") return { problem: "is missing" };
  if (state.kind === "link") return { problem: `is a link to ${state.target ?? "?"}; name that file instead` };
  if (state.kind !== "file") return { problem: `is no file but a ${state.kind === "folder" ? "folder" : "device"}` };
  if (state.content === undefined) return { problem: `is larger than ${LARGEST} bytes` };
  const bytes = Buffer.from(state.content, "base64");
  return isUtf8(bytes) ? { text: bytes.toString("utf8") } : { problem: "is not UTF-8 text" };
}

function placeName(one: { spot: Spot; text: string }, found: Found): string {
  return `${one.spot.file}:${lineOf(one.text, found.start)} ${spotName(one.spot)}`;
}

/** What a node's file says is shown, but not all of it. */
function shown(found: Found): string {
  const text = found.kind === "text" ? JSON.stringify(found.text) : found.text;
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

import { MusterError } from "../../schemas/errors.js";
import { formatCount } from "../../schemas/numbertext.js";
import { describeKind, diffRights, formatSizeAndHash } from "./fileresource.js";
import type { ChangeContext, Difference, FileState, Probe, TreeState } from "./resource.js";
import { MAX_DIFF_BYTES, TOO_LARGE_FOR_DIFF, unifiedDiff } from "./unifieddiff.js";

/** The wanted state of one path of a folder. `local`: the local file with the content. */
export type WantedEntry =
  | { kind: "file"; local: string; size: number; sha256: string; mode: number }
  | { kind: "folder"; mode?: number };

/** By relative path; a folder precedes its content. */
export type WantedTree = Map<string, WantedEntry>;

/** The diffs of a folder's files have at most about this many lines; further files have none. */
const MAX_TREE_DIFF_LINES = 5000;
const NO_CONTENT_FOR_DIFF = "(no diff: more than 16 MiB of files differ in this folder)";
const NO_MORE_DIFFS = `(no diff: those of the files above have ${formatCount(MAX_TREE_DIFF_LINES)} lines)`;

/** Returns the probe of a folder, with the contents that diffs need. */
export function probeTree(folder: string, want: WantedTree): Probe {
  const known = [...want].flatMap(([path, entry]) => (entry.kind === "file" ? [[path, entry.sha256]] : []));
  return { ask: "tree", path: folder, cap: MAX_DIFF_BYTES, known: Object.fromEntries(known) };
}

/** Pure: lists the differences below a folder, path by path. `read` reads a local file, for unified diffs. */
export function diffTree(have: TreeState, want: WantedTree, read?: (local: string) => Uint8Array): Difference[] {
  const root = have["."];
  if (root?.error !== undefined) return [{ what: "folder", have: `cannot be read: ${root.error}`, want: "a folder" }];
  if (root !== undefined && root.kind !== "folder" && root.kind !== "missing")
    return [{ what: "folder", have: describeKind(root), want: "a folder" }];
  if (root?.kind === "missing" && want.size === 0) return [{ what: "folder", have: "missing", want: "a folder" }];
  const diffContent = read && createContentDiff(read);
  return [...want].flatMap(([path, entry]) => diffTreeEntry(path, readState(have, path), entry, diffContent));
}

/** Finds the paths that are not wanted; of a folder and its content, only the folder. */
export function findStalePaths(have: TreeState, want: WantedTree): string[] {
  const stale = Object.keys(have).filter((path) => path !== "." && !want.has(path));
  return stale.filter((path) => !stale.some((other) => path.startsWith(`${other}/`))).sort();
}

/** Finds the paths whose content, mode or owner is not as wanted. */
export function findWrongPaths(have: TreeState, want: WantedTree): [string, WantedEntry][] {
  return [...want].filter(([path, entry]) => diffTreeEntry(path, readState(have, path), entry).length > 0);
}

/**
 * Repairs every path that is not as wanted. A path that fails does not stop the others, but nothing is written below it, because it may be
 * a symbolic link to elsewhere. Rejects afterwards with a MusterError that names all failures, with the code of the first.
 */
export async function repairTree(
  context: ChangeContext,
  base: string,
  have: TreeState,
  want: WantedTree,
  rights: { folders: number; become?: boolean },
): Promise<void> {
  const root = have["."];
  if (root !== undefined && root.kind !== "folder" && root.kind !== "missing")
    throw new MusterError("REFUSED", `${base}: must be a folder, but is ${describeKind(root)}`, {
      next: "Move it away there, then run this again.",
    });
  if (root?.kind === "missing") await context.folder({ path: base, mode: rights.folders, become: rights.become });
  const problems = new Map<string, MusterError>();
  for (const [path, entry] of findWrongPaths(have, want)) {
    if ([...problems.keys()].some((failed) => path.startsWith(`${failed}/`))) continue;
    try {
      await repairEntry(context, `${base}/${path}`, entry, rights);
    } catch (error) {
      if (!(error instanceof MusterError) || error.code === "LOST") throw error;
      problems.set(path, error);
    }
  }
  const [first, ...rest] = problems.values();
  if (first === undefined) return;
  const message = [first, ...rest].map((problem) => problem.message).join("; ");
  throw new MusterError(first.code, message, { next: first.next });
}

async function repairEntry(
  context: ChangeContext,
  path: string,
  entry: WantedEntry,
  { folders, become }: { folders: number; become?: boolean },
): Promise<void> {
  if (entry.kind === "folder") return context.folder({ path, mode: entry.mode ?? folders, become });
  return context.place({ path, mode: entry.mode, become, content: { local: entry.local }, folders });
}

function readState(have: TreeState, path: string): FileState {
  return Object.hasOwn(have, path) ? have[path]! : { kind: "missing" };
}

/** Returns the unified diff of a file, or why there is none in parentheses; undefined where it is not text. */
type ContentDiff = (path: string, have: FileState, want: WantedEntry & { kind: "file" }) => string | undefined;

function createContentDiff(read: (local: string) => Uint8Array): ContentDiff {
  let lines = 0;
  return (path, have, want) => {
    if (lines >= MAX_TREE_DIFF_LINES) return NO_MORE_DIFFS;
    if (Math.max(want.size, have.size ?? 0) > MAX_DIFF_BYTES) return TOO_LARGE_FOR_DIFF;
    if (have.kind === "file" && have.content === undefined) return NO_CONTENT_FOR_DIFF;
    const diff = unifiedDiff(path, Buffer.from(have.content ?? "", "base64"), read(want.local));
    lines += diff?.split("\n").length ?? 0;
    return diff;
  };
}

function diffTreeEntry(
  path: string,
  have: FileState,
  want: WantedEntry,
  diffContent: ContentDiff = () => undefined,
): Difference[] {
  const named = (found: Difference[]) => found.map((one) => ({ ...one, what: `${path}: ${one.what}` }));
  if (have.error !== undefined)
    return named([{ what: want.kind, have: `cannot be read: ${have.error}`, want: `a ${want.kind}` }]);
  if (want.kind === "folder")
    return have.kind === "folder"
      ? named(diffRights(have, want))
      : named([{ what: "folder", have: describeKind(have), want: "a folder" }]);
  const wanted = formatSizeAndHash(want.size, want.sha256);
  if (have.kind === "file" && have.sha256 === want.sha256) return named(diffRights(have, want));
  const diff = have.kind === "file" || have.kind === "missing" ? diffContent(path, have, want) : undefined;
  const shown = diff === undefined ? {} : { diff };
  if (have.kind !== "file") return named([{ what: "file", have: describeKind(have), want: wanted, ...shown }]);
  const found = formatSizeAndHash(have.size ?? 0, have.sha256 ?? "?");
  return named([{ what: "content", have: found, want: wanted, ...shown }, ...diffRights(have, want)]);
}

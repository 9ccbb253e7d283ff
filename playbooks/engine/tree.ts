import { MusterError } from "../../schemas/errors.js";
import { describeKind, diffFile, diffRights, formatSizeAndHash } from "./fileresource.js";
import type { ChangeContext, Difference, FileState, TreeState } from "./resource.js";

/** The wanted state of one path of a folder. `local`: the local file with the content. */
export type WantedEntry =
  | { kind: "file"; local: string; size: number; sha256: string; mode: number }
  | { kind: "folder"; mode?: number };

/** By relative path; a folder precedes its content. */
export type WantedTree = Map<string, WantedEntry>;

/** Pure: lists the differences below a folder, path by path. `read` reads a local file, for unified diffs. */
export function diffTree(have: TreeState, want: WantedTree, read?: (local: string) => Uint8Array): Difference[] {
  const root = have["."];
  if (root?.error !== undefined) return [{ what: "folder", have: `cannot be read: ${root.error}`, want: "a folder" }];
  if (root !== undefined && root.kind !== "folder" && root.kind !== "missing")
    return [{ what: "folder", have: describeKind(root), want: "a folder" }];
  if (root?.kind === "missing" && want.size === 0) return [{ what: "folder", have: "missing", want: "a folder" }];
  return [...want].flatMap(([path, entry]) => diffTreeEntry(path, readState(have, path), entry, read));
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

function diffTreeEntry(
  path: string,
  have: FileState,
  want: WantedEntry,
  read?: (local: string) => Uint8Array,
): Difference[] {
  const named = (found: Difference[]) => found.map((one) => ({ ...one, what: `${path}: ${one.what}` }));
  if (have.error !== undefined)
    return named([{ what: want.kind, have: `cannot be read: ${have.error}`, want: `a ${want.kind}` }]);
  if (want.kind === "folder")
    return have.kind === "folder"
      ? named(diffRights(have, want))
      : named([{ what: "folder", have: describeKind(have), want: "a folder" }]);
  if (have.kind !== "file")
    return named([{ what: "file", have: describeKind(have), want: formatSizeAndHash(want.size, want.sha256) }]);
  if (have.sha256 === want.sha256) return named(diffRights(have, want));
  if (read !== undefined && have.content !== undefined)
    return named(diffFile(have, { path, bytes: read(want.local), mode: want.mode }));
  const sizes = {
    have: formatSizeAndHash(have.size ?? 0, have.sha256 ?? "?"),
    want: formatSizeAndHash(want.size, want.sha256),
  };
  return named([{ what: "content", ...sizes }, ...diffRights(have, want)]);
}

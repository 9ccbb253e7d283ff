import { readFileSync } from "node:fs";
import { basename, posix } from "node:path";
import { readLocalFile, readLocalTree } from "./engine/localsource.js";
import type { PlaybookContext, Resource, TreeState } from "./engine/resource.js";
import { diffTree, findStalePaths, probeTree, repairTree, type WantedTree } from "./engine/tree.js";
import { MAX_DIFF_BYTES } from "./engine/unifieddiff.js";

const FOLDER_MODE = 0o755;
/** The most stale files that a note names. */
const MAX_NAMED_FILES = 5;

/**
 * Syncs files and folders by content and mode: `files` of the inventory. Stale files in a folder are only reported, unless `delete_stale`
 * names that folder.
 */
export default async function* files({ inventory }: PlaybookContext): AsyncGenerator<Resource> {
  for (const [target, source] of Object.entries(inventory.files)) {
    const from = `files: ${target}`;
    if (source.endsWith("/")) {
      const whole = treeResource(`files ${target}`, withoutSlash(target), await readLocalTree(source, from), "whole");
      yield inventory.deleteStale.includes(target) ? deleteStale(whole, withoutSlash(target)) : whole;
      continue;
    }
    // If the target is a folder, the file goes into it.
    const path = target.endsWith("/") ? posix.join(target, basename(source)) : target;
    const want: WantedTree = new Map([[posix.basename(path), await readLocalFile(source, from)]]);
    yield treeResource(`file ${path}`, posix.dirname(path), want, "parts") as Resource;
  }
}

/** A resource that also lists the stale files in its folder. */
type TreeResource = Resource & { stale(have: unknown): string[] };

/** Makes stale files a difference, which a change deletes. The names come from the node, so those with `..` are dropped. */
function deleteStale(tree: TreeResource, folder: string): Resource {
  const stale = (have: unknown) => tree.stale(have).filter((path) => !path.split("/").includes(".."));
  return {
    ...tree,
    notes: () => [],
    diff: (have) => [
      ...tree.diff(have),
      ...stale(have).map((path) => ({ what: `${path}: stale`, have: "there", want: "nothing" })),
    ],
    change: async (have, context) => {
      await tree.change?.(have, context);
      const paths = stale(have).map((path) => posix.join(folder.replace(/^~\//, "./"), path));
      if (paths.length > 0) await context.$`rm -rf -- ${paths}`;
    },
  };
}

/** `whole`: everything else in the folder is stale; `parts`: only the wanted paths of the folder are managed. */
function treeResource(name: string, folder: string, want: WantedTree, extent: "whole" | "parts"): TreeResource {
  const read = (local: string) => readFileSync(local);
  const look = (have: unknown) => (extent === "whole" ? (have as TreeState) : selectParts(have, want));
  return {
    name,
    probe: extent === "whole" ? probeTree(folder, want) : partsProbe(folder, want),
    diff: (have) => diffTree(look(have), want, read),
    change: async (have, context) => repairTree(context, folder, look(have), want, { folders: FOLDER_MODE }),
    stale: (have) => (extent === "whole" ? findStalePaths(look(have), want) : []),
    notes: (have) => (extent === "whole" ? noteStale(findStalePaths(look(have), want)) : []),
  };
}

function partsProbe(folder: string, want: WantedTree): Resource["probe"] {
  const of = [...want].map(([path, entry]) => {
    const known = entry.kind === "file" ? entry.sha256 : undefined;
    return { ask: "file", path: posix.join(folder, path), cap: MAX_DIFF_BYTES, known } as const;
  });
  return { ask: "all", of };
}

function selectParts(have: unknown, want: WantedTree): TreeState {
  const states = have as TreeState[string][];
  return Object.fromEntries([...want.keys()].map((path, index) => [path, states[index]!]));
}

function noteStale(stale: string[]): string[] {
  if (stale.length === 0) return [];
  const more = stale.length > MAX_NAMED_FILES ? ` and ${stale.length - MAX_NAMED_FILES} more` : "";
  const names = stale.slice(0, MAX_NAMED_FILES).map((path) => JSON.stringify(path));
  return [`stale, not in the source, left alone: ${names.join(", ")}${more}`];
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}

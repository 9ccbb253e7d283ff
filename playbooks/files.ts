import { readFileSync } from "node:fs";
import { basename, posix } from "node:path";
import { readLocalFile, readLocalTree } from "./engine/localsource.js";
import type { PlaybookContext, Resource, TreeState } from "./engine/resource.js";
import { diffTree, findStalePaths, repairTree, type WantedTree } from "./engine/tree.js";

/** Bytes of a file that come along for its diff. */
const MAX_DIFF_BYTES = 64 * 1024;
const FOLDER_MODE = 0o755;
/** Stale files that are named. */
const MAX_NAMED_FILES = 5;

/**
 * Files and folders synced by content and mode: the inventory's `files`. What a folder holds beside them is only reported, unless
 * the inventory's `delete_stale` names that folder.
 */
export default async function* files({ inventory }: PlaybookContext): AsyncGenerator<Resource> {
  for (const [target, source] of Object.entries(inventory.files)) {
    const from = `files: ${target}`;
    if (source.endsWith("/")) {
      const whole = treeResource(`files ${target}`, withoutSlash(target), await readLocalTree(source, from), "whole");
      yield inventory.deleteStale.includes(target) ? deleteStale(whole, withoutSlash(target)) : whole;
      continue;
    }
    // A folder as target of a file means a file in it.
    const path = target.endsWith("/") ? posix.join(target, basename(source)) : target;
    const want: WantedTree = new Map([[posix.basename(path), await readLocalFile(source, from)]]);
    yield treeResource(`file ${path}`, posix.dirname(path), want, "parts") as Resource;
  }
}

/** A resource that also knows what lies in its folder and is not wanted. */
type TreeResource = Resource & { stale(have: unknown): string[] };

/** The same, with what is stale as a difference that is mended by deleting it. Names come from the node: none leads elsewhere. */
function deleteStale(tree: TreeResource, folder: string): Resource {
  const stale = (have: unknown) => tree.stale(have).filter((path) => !path.split("/").includes(".."));
  return {
    ...tree,
    notes: () => [],
    diff: (have) => [
      ...tree.diff(have),
      ...stale(have).map((path) => ({ what: `${path}: stale`, have: "there", want: "nothing" })),
    ],
    change: async (have, hands) => {
      await tree.change?.(have, hands);
      const paths = stale(have).map((path) => posix.join(folder.replace(/^~\//, "./"), path));
      if (paths.length > 0) await hands.$`rm -rf -- ${paths}`;
    },
  };
}

/** `whole`: the folder is all ours, so that what else is in it is stale; `parts`: only these paths are. */
function treeResource(name: string, folder: string, want: WantedTree, extent: "whole" | "parts"): TreeResource {
  const read = (local: string) => readFileSync(local);
  const look = (have: unknown) => (extent === "whole" ? (have as TreeState) : selectParts(have, want));
  return {
    name,
    probe: extent === "whole" ? { ask: "tree", path: folder, cap: MAX_DIFF_BYTES } : partsProbe(folder, want),
    diff: (have) => diffTree(look(have), want, read),
    change: async (have, hands) => repairTree(hands, folder, look(have), want, { folders: FOLDER_MODE }),
    stale: (have) => (extent === "whole" ? findStalePaths(look(have), want) : []),
    notes: (have) => (extent === "whole" ? noteStale(findStalePaths(look(have), want)) : []),
  };
}

function partsProbe(folder: string, want: WantedTree): Resource["probe"] {
  const of = [...want.keys()].map(
    (path) => ({ ask: "file", path: posix.join(folder, path), cap: MAX_DIFF_BYTES }) as const,
  );
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

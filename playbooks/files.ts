import { readFileSync } from "node:fs";
import { basename, posix } from "node:path";
import { localFile, localTree } from "./engine/local.js";
import type { Resource, Subject, TreeState } from "./engine/resource.js";
import { mendTree, stalePaths, treeDifferences, type WantedTree } from "./engine/tree.js";

/** Bytes of a file that come along for its diff. */
const SHOWN = 64 * 1024;
const FOLDERS = 0o755;
/** Stale files that are named. */
const NAMED = 5;

/**
 * Files and folders synced by content and mode: the inventory's `files`. What a folder holds beside them is only reported, unless
 * the inventory's `delete_stale` names that folder.
 */
export default async function* files({ inventory }: Subject): AsyncGenerator<Resource> {
  for (const [target, source] of Object.entries(inventory.files)) {
    const from = `files: ${target}`;
    if (source.endsWith("/")) {
      const whole = resourceOf(`files ${target}`, withoutSlash(target), await localTree(source, from), "whole");
      yield inventory.deleteStale.includes(target) ? withoutStale(whole, withoutSlash(target)) : whole;
      continue;
    }
    // A folder as target of a file means a file in it.
    const path = target.endsWith("/") ? posix.join(target, basename(source)) : target;
    const want: WantedTree = new Map([[posix.basename(path), await localFile(source, from)]]);
    yield resourceOf(`file ${path}`, posix.dirname(path), want, "parts") as Resource;
  }
}

/** A resource that also knows what lies in its folder and is not wanted. */
type TreeResource = Resource & { stale(have: unknown): string[] };

/** The same, with what is stale as a difference that is mended by deleting it. Names come from the node: none leads elsewhere. */
function withoutStale(tree: TreeResource, folder: string): Resource {
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
function resourceOf(name: string, folder: string, want: WantedTree, extent: "whole" | "parts"): TreeResource {
  const read = (local: string) => readFileSync(local);
  const look = (have: unknown) => (extent === "whole" ? (have as TreeState) : partsOf(have, want));
  return {
    name,
    probe: extent === "whole" ? { ask: "tree", path: folder, cap: SHOWN } : partsProbe(folder, want),
    diff: (have) => treeDifferences(look(have), want, read),
    change: async (have, hands) => mendTree(hands, folder, look(have), want, { folders: FOLDERS }),
    stale: (have) => (extent === "whole" ? stalePaths(look(have), want) : []),
    notes: (have) => (extent === "whole" ? staleNotes(stalePaths(look(have), want)) : []),
  };
}

function partsProbe(folder: string, want: WantedTree): Resource["probe"] {
  const of = [...want.keys()].map((path) => ({ ask: "file", path: posix.join(folder, path), cap: SHOWN }) as const);
  return { ask: "all", of };
}

function partsOf(have: unknown, want: WantedTree): TreeState {
  const states = have as TreeState[string][];
  return Object.fromEntries([...want.keys()].map((path, index) => [path, states[index]!]));
}

function staleNotes(stale: string[]): string[] {
  if (stale.length === 0) return [];
  const more = stale.length > NAMED ? ` and ${stale.length - NAMED} more` : "";
  const names = stale.slice(0, NAMED).map((path) => JSON.stringify(path));
  return [`stale, not in the source, left alone: ${names.join(", ")}${more}`];
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}

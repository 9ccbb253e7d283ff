import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** What the cache of a node consists of. */
const CACHE_ENTRIES = new Set(["builds", "contents", "uploads.lock"]);

/** Returns what lies in the workdir of a node after all runs have ended, beside the node's cache; paths are relative to it. */
export function listLeftovers(workdir: string): string[] {
  const cache = listFolder(join(workdir, "cache")).filter((name) => !CACHE_ENTRIES.has(name));
  const partial = listFolder(join(workdir, "cache/contents")).filter((name) => !/^[0-9a-f]{64}$/.test(name));
  return [
    ...listFolder(workdir).filter((name) => name !== "cache"),
    ...cache.map((name) => `cache/${name}`),
    ...partial.map((name) => `cache/contents/${name}`),
  ];
}

function listFolder(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

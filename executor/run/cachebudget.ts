import { join } from "node:path";
import type { Node } from "../../fleet/node.js";
import { formatUnequalBytes } from "../../schemas/bytecount.js";
import { MusterError } from "../../schemas/errors.js";
import type { Job } from "../job/job.js";
import type { FileContent } from "./record/filehashes.js";

/** Returns how many bytes of inputs, scripts and project files a job has; a content that several files have counts once. */
export function countStagedBytes(job: Job, contents: ReadonlyMap<string, FileContent>): number {
  const sizes = new Map([...contents.values()].map(({ sha256, sizeBytes }) => [sha256, sizeBytes]));
  let total = 0;
  for (const sizeBytes of sizes.values()) total += sizeBytes;
  const { root = "", files = [] } = job.project ?? {};
  for (const { path, sizeBytes, target } of files)
    if (target === undefined && !contents.has(join(root, path))) total += sizeBytes;
  return total;
}

/**
 * Returns why the cache of a node is too small for a job's files; undefined where it is not. Only a budget that the inventory sets counts;
 * one of 0 keeps nothing after a run, and refuses none.
 */
export function findCacheRefusal({ cacheBytes }: Node, stagedBytes: number): string | undefined {
  if (cacheBytes === undefined || cacheBytes === 0 || stagedBytes <= cacheBytes) return undefined;
  const [needed, budget] = formatUnequalBytes(stagedBytes, cacheBytes);
  return `its cache may hold ${budget} (\`cache\` in the inventory), and the job's files have ${needed}`;
}

/** Creates the error for a job that no node's cache can hold. `refusals`: the reason of each node. */
export function createCacheError(refusals: readonly { node: string; reason: string }[]): MusterError {
  const reasons = refusals.map(({ node, reason }) => `\n    ${node}: ${reason}`).join("");
  return new MusterError("CACHE_BUDGET", `the job's files are larger than the caches of the nodes${reasons}`, {
    next: "Raise `cache` of these nodes in the inventory, or remove it there: the default refuses no job.",
  });
}

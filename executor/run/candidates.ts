import type { Node } from "../../fleet/node.js";
import { MusterError } from "../../schemas/errors.js";
import type { Job } from "../job/job.js";
import { findNodeRefusal, type NodeMatcher } from "../schedule/slots/nodeslots.js";
import { countStagedBytes, createCacheError, findCacheRefusal } from "./cachebudget.js";
import type { FileContent } from "./record/filehashes.js";
import type { ExcludedNode } from "./record/runsummary.js";

/** The nodes that may work on a job, and those that may not. */
export interface Candidates {
  able: Node[];
  leftOut: ExcludedNode[];
  /** Whether there are nodes, and the job's files are too large for the caches of all of them. */
  areCachesTooSmall: boolean;
}

/** Divides nodes by the needs of a job and the size of its files. `contents`: of every staged file. */
export function selectCandidates(
  job: Job,
  nodes: readonly Node[],
  contents: ReadonlyMap<string, FileContent>,
  isSelected: NodeMatcher,
): Candidates {
  const stagedBytes = countStagedBytes(job, contents);
  const able: Node[] = [];
  const leftOut: ExcludedNode[] = [];
  for (const node of nodes) {
    const reason = findNodeRefusal(node, job.needs, isSelected) ?? findCacheRefusal(node, stagedBytes);
    if (reason === undefined) able.push(node);
    else leftOut.push({ node: node.name, reason });
  }
  const isTooSmall = (node: Node) => findCacheRefusal(node, stagedBytes) !== undefined;
  return { able, leftOut, areCachesTooSmall: nodes.length > 0 && nodes.every(isTooSmall) };
}

/** Creates the error for a job that no node and no cluster may run. */
export function createExclusionError({ leftOut, areCachesTooSmall }: Candidates): MusterError {
  if (areCachesTooSmall) return createCacheError(leftOut);
  const reasons = leftOut.map(({ node, reason }) => `\n    ${node}: ${reason}`).join("");
  return new MusterError("NO_NODE", `no node of the inventory may run this job${reasons}`, {
    next: "Change the job's `needs`, --limit, or the inventory.",
  });
}

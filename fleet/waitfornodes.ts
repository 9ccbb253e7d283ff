import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionErrorCode } from "./connectionerror.js";
import { forEachNode } from "./eachnode.js";
import type { Node } from "./node.js";

/** Between two dials of a node that does not answer. */
const REDIAL_MS = 5000;
/** Errors of a machine that is off or booting. After any other error, the machine answers and waiting does not help. */
export const SILENT: ReadonlySet<string> = new Set<ConnectionErrorCode>(["UNREACHABLE", "TIMEOUT", "DROPPED", "LOST"]);

/** A node that does not answer, and why: "connect to rig@10.0.0.5:22: no route to the machine". */
export interface SilentNode {
  node: Node;
  reason: string;
}

/**
 * Dials nodes until all answer or `waitSeconds` are over, and calls `onWait` once, with those that did not answer the first dial. Returns
 * the nodes that still do not answer. A node that refuses the log-in or shows a wrong host key answers. Ends early on `stop`.
 */
export async function waitForNodes(
  nodes: Node[],
  { waitSeconds, stop, onWait }: { waitSeconds: number; stop: AbortSignal; onWait(silent: SilentNode[]): void },
): Promise<SilentNode[]> {
  const startedAt = performance.now();
  let silent = await findSilentNodes(nodes);
  if (silent.length > 0) onWait(silent);
  while (silent.length > 0 && !stop.aborted) {
    const leftMs = waitSeconds * 1000 - (performance.now() - startedAt);
    if (leftMs <= 0) break;
    await sleep(Math.min(REDIAL_MS, leftMs), undefined, { signal: stop }).catch(() => {});
    if (!stop.aborted) silent = await findSilentNodes(silent.map(({ node }) => node));
  }
  return silent;
}

async function findSilentNodes(nodes: Node[]): Promise<SilentNode[]> {
  const outcomes = await forEachNode(nodes, async () => {});
  return outcomes.flatMap((outcome) =>
    "error" in outcome && SILENT.has(outcome.error.code) ? [{ node: outcome.node, reason: outcome.error.message }] : [],
  );
}

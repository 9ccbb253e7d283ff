import type { NodeCondition } from "../../fleet/healing/healrecord.js";
import { judgeSickness, type NodeLook } from "../../fleet/healing/lookatnodes.js";
import type { NodeWorker } from "./node/nodeworker.js";

/** What a run knows of a node, as far as its health matters. */
export type ObservedWorker = Pick<NodeWorker, "node" | "state" | "reason"> & {
  preparation: { attachment: unknown };
  slotMonitor: { sickGpus: string[] };
  agentTracker: { lastAgent: { boot: string } | undefined };
};

/** Returns what a run knows of a node, for healing. `awaySinceMs`: since when it is not attached (Unix time). */
export function lookAtWorker(worker: ObservedWorker, awaySinceMs: number): NodeLook {
  const boot = worker.agentTracker.lastAgent?.boot;
  const look = { node: worker.node, condition: judgeWorker(worker, awaySinceMs), obstacles: [] };
  return boot === undefined ? look : { ...look, boot };
}

/** Whether a node is attached, or is being prepared for that. */
export function isPresent({ state, preparation }: Pick<ObservedWorker, "state" | "preparation">): boolean {
  return state === "live" || preparation.attachment !== undefined;
}

function judgeWorker(worker: ObservedWorker, sinceMs: number): NodeCondition {
  const { state, reason = "it is not connected yet", slotMonitor } = worker;
  if (isPresent(worker)) return judgeSickness(slotMonitor.sickGpus);
  if (state === "refused") return { kind: "refused", reason };
  return { kind: "away", reason, sinceMs };
}

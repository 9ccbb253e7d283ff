import { type EventEmitter, once } from "node:events";
import type { NodeConnectionState } from "../record/journalentry.js";
import { FINAL_RECONNECT_TIMEOUT_SECONDS } from "./reconnectpolicy.js";

/** A node that is to be attached again. `changes` emits "change" with each new state and attachment. */
interface ReturningNode {
  readonly state: NodeConnectionState;
  readonly isAttached: boolean;
  readonly changes: EventEmitter;
}

/**
 * Resolves when the node is attached or should not be waited for any longer: a silent one until its grace period ends, one that is
 * away or being dialled for FINAL_RECONNECT_TIMEOUT_SECONDS.
 */
export async function awaitAttachment(node: ReturningNode): Promise<void> {
  node.changes.emit("hurry");
  while (node.state === "silent" && !node.isAttached) await once(node.changes, "change");
  if (node.isAttached || node.state === "refused") return;
  const signal = AbortSignal.timeout(FINAL_RECONNECT_TIMEOUT_SECONDS * 1000);
  await once(node.changes, "change", { signal }).catch(() => {});
}

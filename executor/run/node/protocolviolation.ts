import type { Attempt } from "../../schedule/events.js";
import type { SignedAttemptIds } from "../agent/signedids.js";
import type { AttemptMessage } from "./nodeevent.js";

/**
 * Returns how a well-formed message of `node` about `attempt` breaks the protocol: the attempt is another node's, or the message
 * contradicts it. Returns undefined where the message is right.
 */
export function findViolation(
  message: AttemptMessage,
  attempt: Attempt,
  node: string,
  ids: SignedAttemptIds,
): string | undefined {
  if (attempt.node !== node) return `it speaks of attempt ${attempt.id} of another node`;
  if (message.ev !== "done") return undefined;
  const isRight = message.slot === attempt.slot && ids.isGenuine(message.id, node, message.chunk);
  return isRight ? undefined : `it says that attempt ${attempt.id} was chunk ${message.chunk} on slot ${message.slot}`;
}

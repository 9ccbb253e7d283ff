import type { Attempt } from "../../schedule/events.js";
import type { SignedAttemptIds } from "../agent/signedids.js";
import type { AttemptMessage } from "./nodeevent.js";

/** Whether a message is consistent with the attempt that it names; if not, how it violates the protocol. */
export type AttemptMessageCheck = { readonly ok: true } | { readonly ok: false; readonly violation: string };

/** Checks a well-formed message of `node` about `attempt`. The attempt must belong to that node and match the message. */
export function checkAttemptMessage(
  message: AttemptMessage,
  attempt: Attempt,
  node: string,
  ids: SignedAttemptIds,
): AttemptMessageCheck {
  if (attempt.node !== node) return { ok: false, violation: `it speaks of attempt ${attempt.id} of another node` };
  if (message.ev !== "done") return { ok: true };
  if (message.slot === attempt.slot && ids.isGenuine(message.id, node, message.chunk)) return { ok: true };
  const violation = `it says that attempt ${attempt.id} was chunk ${message.chunk} on slot ${message.slot}`;
  return { ok: false, violation };
}

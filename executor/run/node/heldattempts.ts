import type { RemoteAttempt } from "../../schedule/events.js";
import { decodeHeldAttempt } from "../agent/protocol.js";
import type { SignedAttemptIds } from "../agent/signedids.js";
import type { Attachment } from "./attachment.js";

/** Returns the attempts that an agent holds and that are this run's. Others are cancelled: another copy of the run directory has begun them. */
export function claimHeldAttempts(attachment: Attachment, ids: SignedAttemptIds): RemoteAttempt[] {
  const { genuine, strangers } = ids.partition(attachment.hello.held, attachment.node.name);
  if (strangers.length > 0) attachment.send({ op: "cancel", ids: strangers.map(({ id }) => id) });
  return genuine.map(decodeHeldAttempt);
}

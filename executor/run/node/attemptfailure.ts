import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Attempt, Failure } from "../../schedule/events.js";
import type { DoneMessage } from "../agent/protocol.js";
import { DiskError } from "../record/diskerror.js";

/** Why an attempt that has ended is not a success; undefined where it is one. */
export function failureFromDone(attempt: Attempt, done: DoneMessage, timeout: number | undefined): Failure | undefined {
  const reason = describeFailure(done, timeout);
  return reason === undefined ? undefined : createFailure(attempt, reason, done);
}

/** A failure of `attempt`; `done` where it ran at all. */
export function createFailure(attempt: Attempt, reason: string, done?: DoneMessage): Failure {
  return {
    chunk: attempt.chunk.id,
    node: attempt.node,
    slot: attempt.slot,
    attempt: attempt.number,
    exit: done?.exit ?? null,
    signal: done?.signal ?? null,
    reason,
    stderr: done?.tail ?? "",
  };
}

/** Whether an attempt has ended with all of its results. */
export function isSuccess(done: DoneMessage): boolean {
  return !done.canceled && !done.lost && describeFailure(done, undefined) === undefined;
}

function describeFailure(done: DoneMessage, timeout: number | undefined): string | undefined {
  if (done.error !== undefined && done.error !== null) return done.error;
  if (done.timeout) return `still running after its timeout of ${timeout} s`;
  if (done.signal !== null) return `killed by signal ${done.signal}`;
  if (done.exit !== 0) return `exit code ${done.exit}`;
  if (done.missing.length > 0) return `exit code 0, but no output ${done.missing.join(", ")}`;
  return undefined;
}

/** Whether an error means that a node could not be heard, and not that something is wrong with what was asked. */
export function isConnectionLost(error: unknown): error is MusterError {
  return error instanceof MusterError && (error.code === "LOST" || error.code === "TIMEOUT");
}

/** Of this machine and not of a node: its disk, or a bug. */
export function isLocalError(error: unknown): boolean {
  return error instanceof DiskError || !(error instanceof MusterError);
}

/** What an error says. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What an error of a node says, without the node's name at its front. */
export function withoutNodeName(node: Pick<Node, "name">, { message }: MusterError): string {
  const prefix = `${node.name}: `;
  return message.startsWith(prefix) ? message.slice(prefix.length) : message;
}

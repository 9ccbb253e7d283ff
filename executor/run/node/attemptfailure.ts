import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Attempt, Failure } from "../../schedule/events.js";
import type { DoneMessage } from "../agent/protocol.js";
import { foldCarriageReturns } from "../record/carriagereturns.js";
import { DiskError } from "../record/diskerror.js";
import { findDetail } from "./failuredetail.js";
import { describeFullDisk } from "./fulldisk.js";

/** How an attempt ended that its node neither cancelled nor lost. */
export type AttemptOutcome = { readonly ok: true } | { readonly ok: false; readonly failure: Failure };

/** Determines whether an attempt that has ended succeeded. `timeout`: the chunk's timeout in seconds. */
export function determineOutcome(attempt: Attempt, done: DoneMessage, timeout: number | undefined): AttemptOutcome {
  const reason = describeFailure(done, timeout);
  return reason === undefined ? { ok: true } : { ok: false, failure: createFailure(attempt, reason, done) };
}

/** Creates the failure of an attempt. `done`: how its program ended; undefined = it was never started. */
export function createFailure(attempt: Attempt, reason: string, done?: DoneMessage): Failure {
  const fullDisk = done?.fullDisk && describeFullDisk(done.fullDisk);
  const stderr = foldCarriageReturns(Buffer.from(done?.tail ?? "")).toString();
  const detail = done && findDetail(done, stderr);
  return {
    chunk: attempt.chunk.id,
    node: attempt.node,
    slot: attempt.slot,
    attempt: attempt.number,
    exit: done?.exit ?? null,
    signal: done?.signal ?? null,
    reason: fullDisk === undefined ? reason : `${reason}; ${fullDisk}`,
    ...(detail === undefined ? {} : { detail }),
    stderr,
    ...(done === undefined ? {} : { seconds: done.seconds }),
    ...(done?.final ? { isFinal: true } : {}),
    ...(fullDisk === undefined ? {} : { fullDisk }),
  };
}

/** Creates the failure of an attempt whose files could not be staged. */
export function createStagingFailure(attempt: Attempt, error: unknown): Failure {
  const failure = createFailure(attempt, `its files could not be staged: ${errorText(error)}`);
  const isFull = error instanceof MusterError && error.code === "NO_SPACE";
  return isFull ? { ...failure, fullDisk: errorText(error) } : failure;
}

/** Whether an attempt has printed anything. */
export function hasPrinted({ stdout, stderr }: DoneMessage): boolean {
  return stdout.size + stderr.size > 0;
}

/** Whether there is something to collect of an attempt without a result: what it has printed, or its state. */
export function hasLeft(done: DoneMessage): boolean {
  return hasPrinted(done) || done.state !== undefined;
}

/** Whether an attempt has ended with all of its outputs. */
export function isSuccess(done: DoneMessage): boolean {
  return !done.cancelled && !done.lost && describeFailure(done, undefined) === undefined;
}

/** Returns why an attempt failed; undefined if it succeeded. */
function describeFailure(done: DoneMessage, timeout: number | undefined): string | undefined {
  if (done.error !== undefined && done.error !== null) return done.error;
  if (done.timeout) return `still running after its timeout of ${timeout} s`;
  if (done.signal !== null) return `killed by signal ${done.signal}`;
  if (done.exit !== 0) return `exit code ${done.exit}`;
  if (done.missing.length > 0) return `exit code 0, but no output ${done.missing.join(", ")}`;
  return undefined;
}

/** Whether an error means that the connection to a node failed, and not that a request was refused. */
export function isConnectionLost(error: unknown): error is MusterError {
  return error instanceof MusterError && (error.code === "LOST" || error.code === "TIMEOUT");
}

/** Whether this machine caused the error and not a node: its disk failed, or there is a bug. */
export function isLocalError(error: unknown): boolean {
  return error instanceof DiskError || !(error instanceof MusterError);
}

/** Returns the message of an error. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns the message of an error of a node, without the node's name at its beginning. */
export function withoutNodeName(node: Pick<Node, "name">, error: MusterError): string {
  return error.textFor(node.name);
}

import { MusterError } from "../../../schemas/errors.js";
import type { Attempt, Failure } from "../../schedule/events.js";
import type { Done } from "../agent/protocol.js";
import { DiskError } from "../results/disk.js";

/** Why an attempt that has ended is not a success; undefined where it is one. */
export function failureOf(attempt: Attempt, done: Done, timeout: number | undefined): Failure | undefined {
  const reason = reasonOf(done, timeout);
  return reason === undefined ? undefined : failure(attempt, reason, done);
}

/** A failure of `attempt`; `done` where it ran at all. */
export function failure(attempt: Attempt, reason: string, done?: Done): Failure {
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
export function isSuccess(done: Done): boolean {
  return !done.canceled && !done.lost && reasonOf(done, undefined) === undefined;
}

function reasonOf(done: Done, timeout: number | undefined): string | undefined {
  if (done.error !== undefined && done.error !== null) return done.error;
  if (done.timeout) return `still running after its timeout of ${timeout} s`;
  if (done.signal !== null) return `killed by signal ${done.signal}`;
  if (done.exit !== 0) return `exit code ${done.exit}`;
  if (done.missing.length > 0) return `exit code 0, but no output ${done.missing.join(", ")}`;
  return undefined;
}

/** Codes of errors that the network, or a node that is starting, may be the reason of. */
const MAY_PASS = ["UNREACHABLE", "LOST", "TIMEOUT", "DROPPED"];
/** Codes of refusals: trying again changes nothing. */
const REFUSALS = ["AUTH", "DRIFT", "SUPERSEDED", "PROTOCOL", "WORKDIR"];

/** Whether to try a node again that failed with this code. `wasHere`: it has joined before, so that only the network can be why. */
export function mayComeBack(code: string, wasHere: boolean): boolean {
  if (REFUSALS.includes(code) || code.startsWith("HOST_KEY")) return false;
  return wasHere || MAY_PASS.includes(code);
}

/** Whether an error means that a node could not be heard, and not that something is wrong with what was asked. */
export function isLost(error: unknown): error is MusterError {
  return error instanceof MusterError && (error.code === "LOST" || error.code === "TIMEOUT");
}

/** Of this machine and not of a node: its disk, or a bug. */
export function isOurs(error: unknown): boolean {
  return error instanceof DiskError || !(error instanceof MusterError);
}

/** What an error says. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

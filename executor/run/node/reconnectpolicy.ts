import type { NodeConnectionState } from "../record/journalentry.js";

/** How long the end of the run waits for a node that is away. */
export const FINAL_RECONNECT_TIMEOUT_SECONDS = 10;
/** This many request timeouts within the backoff's window mark a reachable node as lost. */
export const LOST_AFTER_TIMEOUTS = 2;

/** Errors that the network or a starting node may cause. */
const TRANSIENT_CODES = ["UNREACHABLE", "LOST", "TIMEOUT", "DROPPED"];

/** Errors that another attempt would only repeat. */
const ACCESS_DENIED_CODES = ["AUTH", "SUPERSEDED", "PROTOCOL", "WORKDIR", "NO_DIRECTORY"];

/** Whether an error may be temporary, so that a node that has never joined is tried again. */
function isTransientError(code: string): boolean {
  return TRANSIENT_CODES.includes(code);
}

/** Whether the node refuses the login, or its agent refuses this run directory. */
function isAccessDenied(code: string): boolean {
  return ACCESS_DENIED_CODES.includes(code) || code.startsWith("HOST_KEY");
}

/** Whether a node in this state is not waited for. */
export function isGone(state: NodeConnectionState): boolean {
  return state === "away" || state === "refused" || state === "ended";
}

/** Whether a node can be reached, though it gets no work. */
export function isReachable({
  state,
  error,
}: {
  state: NodeConnectionState;
  error: { code: string } | undefined;
}): boolean {
  return state === "refused" && !isAccessDenied(error?.code ?? "");
}

/**
 * Returns the state of a node after an error of attaching to it. `wasHere`: its slots are known, or it is an allocation, so that only the
 * network can be the cause. `isPrepared`: its agent ran already.
 */
export function findStateAfterError(
  code: string,
  state: NodeConnectionState,
  wasHere: boolean,
  isPrepared: boolean,
): "silent" | "away" | "refused" {
  if (!shouldReconnect(code, wasHere)) return "refused";
  return state === "silent" || (state === "connecting" && isPrepared) ? "silent" : "away";
}

/** Whether to reconnect to a node after an error. `wasHere`: its slots are known, so that only the network can be the cause. */
function shouldReconnect(code: string, wasHere: boolean): boolean {
  if (code === "DRIFT" || code === "BUILD" || code === "SYNTAX" || isAccessDenied(code)) return false;
  return wasHere || isTransientError(code);
}

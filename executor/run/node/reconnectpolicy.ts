/** Codes of errors that the network, or a node that is starting, may be the reason of. */
const TRANSIENT_CODES = ["UNREACHABLE", "LOST", "TIMEOUT", "DROPPED"];

/** Codes of refusals that stay as they are. */
const ACCESS_DENIED_CODES = ["AUTH", "SUPERSEDED", "PROTOCOL", "WORKDIR"];

/** Whether an error may pass by itself, so that a node that was never here is tried again. */
export function isTransientError(code: string): boolean {
  return TRANSIENT_CODES.includes(code);
}

/** Whether we may not log in, or the agent there is another run directory's: no next try ends otherwise. */
export function isAccessDenied(code: string): boolean {
  return ACCESS_DENIED_CODES.includes(code) || code.startsWith("HOST_KEY");
}

/** Whether to try a node again that failed with this code. `wasHere`: it has joined before, so that only the network can be why. */
export function shouldReconnect(code: string, wasHere: boolean): boolean {
  if (code === "DRIFT" || isAccessDenied(code)) return false;
  return wasHere || isTransientError(code);
}

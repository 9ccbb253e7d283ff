/** Codes of errors that the network, or a node that is starting, may be the reason of. */
const TRANSIENT = ["UNREACHABLE", "LOST", "TIMEOUT", "DROPPED"];

/** Whether an error may pass by itself, so that a node that was never here is tried again. */
export function isTransient(code: string): boolean {
  return TRANSIENT.includes(code);
}

/** Whether we may not log in, or the agent there is another run directory's: no next try ends otherwise. */
export function isBarred(code: string): boolean {
  return code === "AUTH" || code === "SUPERSEDED" || code.startsWith("HOST_KEY");
}

import type { MusterError } from "../../schemas/errors.js";
import type { HaltReason } from "../schedule/events.js";

/** How the work on a run ended. `partial`: some chunks failed. `stranded`: no usable node is left. */
export type RunEnd =
  | { state: "complete" | "partial" | "interrupted" }
  | { state: "stranded" }
  /** Too many chunks failed, or a program cannot be loaded. */
  | { state: "halted"; halt: HaltReason }
  /** A node belongs to another copy of the run directory. */
  | { state: "superseded"; error: MusterError }
  | { state: "broken"; error: unknown };

/** Whether agents keep running, so that the next coordinator can collect their results. */
export function leavesAgentsRunning({ state }: RunEnd): boolean {
  switch (state) {
    case "complete":
    case "partial":
    case "halted":
      return false;
    case "interrupted":
    case "stranded":
    case "superseded":
    case "broken":
      return true;
    default:
      return state satisfies never;
  }
}

/** Returns how a run ends because of the error of one node, if the others would have it, too. */
export function findEndFor(error: MusterError | undefined): RunEnd | undefined {
  return error?.code === "SUPERSEDED" ? { state: "superseded", error } : undefined;
}

/** Returns how a run ends that no node can work on: it is halted where the program is why all of them were refused. */
export function findStrandedEnd(nodes: readonly { error: MusterError | undefined }[]): RunEnd {
  const reasons = nodes.flatMap(({ error }) => (error?.code === "SYNTAX" ? [error.reason] : []));
  const [reason] = reasons;
  return reason === undefined || reasons.length < nodes.length
    ? { state: "stranded" }
    : { state: "halted", halt: { reason, failures: [] } };
}

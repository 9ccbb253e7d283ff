import type { MusterError } from "../../schemas/errors.js";
import type { HaltReason } from "../schedule/events.js";

/** How the work on a run ended. `partial`: some chunks failed. `stranded`: no usable node is left. */
export type RunEnd =
  | { state: "complete" | "partial" | "interrupted" }
  | { state: "stranded" }
  /** Too many chunks failed. */
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

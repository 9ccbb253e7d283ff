import type { MusterError } from "../../schemas/errors.js";

/** How a run's work ended. */
export type RunEnd =
  | { state: "complete" | "partial" | "interrupted" }
  | { state: "stranded" }
  /** A node belongs to another copy of the run directory. */
  | { state: "superseded"; error: MusterError }
  | { state: "broken"; error: unknown };

/** Whether nodes go on with what they have, for the next coordinator to collect. */
export function leavesAgentsRunning({ state }: RunEnd): boolean {
  switch (state) {
    case "complete":
    case "partial":
      return false;
    case "interrupted":
    case "stranded":
    case "superseded":
    case "broken":
      return true;
  }
}

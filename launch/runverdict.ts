import type { RunSummary } from "../executor/run/record/runsummary.js";

/** What the end of a run means, with the exit status of a command that ends so. */
export type RunVerdict =
  /** Every chunk is done. */
  | Readonly<{ meaning: "done"; exitStatus: 0; state: "complete" }>
  /** Some chunks failed, or the run stopped; the rest is done and kept. */
  | Readonly<{ meaning: "partly done"; exitStatus: 3; state: "partial" | "halted" | "broken" | "stranded" }>
  /** No node could be used. */
  | Readonly<{ meaning: "no usable node"; exitStatus: 69; state: "stranded" }>
  /** Another coordinator has the agents of this run. */
  | Readonly<{ meaning: "taken over"; exitStatus: 75; state: "superseded" }>
  /** The run was interrupted: it can be resumed. */
  | Readonly<{ meaning: "interrupted"; exitStatus: 130; state: "interrupted" | "cancelled" }>;

/** Returns what the end of a run means. */
export function judgeRun({ state, session }: Pick<RunSummary, "state" | "session">): RunVerdict {
  switch (state) {
    case "complete":
      return { meaning: "done", exitStatus: 0, state };
    case "interrupted":
    case "cancelled":
      return { meaning: "interrupted", exitStatus: 130, state };
    case "stranded":
      return session.chunks > 0
        ? { meaning: "partly done", exitStatus: 3, state }
        : { meaning: "no usable node", exitStatus: 69, state };
    case "superseded":
      return { meaning: "taken over", exitStatus: 75, state };
    case "partial":
    case "halted":
    case "broken":
      return { meaning: "partly done", exitStatus: 3, state };
    default:
      return state satisfies never;
  }
}

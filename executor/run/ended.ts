/** How a run's work ended. */
export type Ended =
  | { state: "complete" | "partial" | "interrupted" }
  | { state: "stranded" }
  | { state: "broken"; error: unknown };

/** Whether nodes go on with what they have, for the next coordinator to collect. */
export function keepsNodes({ state }: Ended): boolean {
  return state === "interrupted" || state === "broken" || state === "stranded";
}

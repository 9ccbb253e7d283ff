import type { ChunkOutcomes } from "../executor/run/record/chunkoutcomes.js";
import { formatCount, pluralize } from "./format.js";

/** Returns how many chunks failed, were stopped and cancelled, to follow those that are done: ", 3 failed, 2 stopped"; nothing where none was. */
export function formatOtherOutcomes({ failed, stopped = 0, cancelled = 0 }: ChunkOutcomes): string {
  const parts = [
    failed === 0 ? [] : `${formatCount(failed)} failed`,
    stopped === 0 ? [] : `${formatCount(stopped)} stopped`,
    cancelled === 0 ? [] : `${formatCount(cancelled)} cancelled`,
  ];
  return parts
    .flat()
    .map((part) => `, ${part}`)
    .join("");
}

/** Returns how many tasks of an `ask` program were refused: "3 tasks refused"; nothing where none was. */
export function formatRefusedTasks(count = 0): string {
  return count === 0 ? "" : `${pluralize(count, "task")} refused`;
}

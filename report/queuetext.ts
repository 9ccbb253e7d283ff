import { formatCount, pluralize, toPrintableText } from "./format.js";

/** What `muster add` has done to the queue of a run. `added` and what follows: undefined where it was only closed. */
export interface QueueChangeResult {
  directory: string;
  added?: number;
  known?: number;
  accepted?: number;
  closed: boolean;
}

/** Returns the lines of `muster add`. */
export function formatAddedTasks({ directory, added, known = 0, accepted = 0, closed }: QueueChangeResult): string {
  const already = known === 0 ? "" : `, ${formatCount(known)} were there already`;
  return toPrintableText([
    ...(added === undefined
      ? []
      : [`${directory}: ${pluralize(added, "task")} added${already}, ${formatCount(accepted)} in all`]),
    ...(closed ? [`${directory}: the queue is closed; the run ends when its tasks are done`] : []),
  ]);
}

/** Returns the line of `muster cancel --task`. */
export function formatCanceledTasks({ directory, tasks }: { directory: string; tasks: readonly string[] }): string {
  return toPrintableText([`${directory}: ${pluralize(tasks.length, "task")} to be canceled, unless done by then`]);
}

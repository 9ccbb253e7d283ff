import { formatCount, pluralize, toPrintableText } from "./format.js";

/** The most tasks that a line names. */
const MAX_NAMED_TASKS = 5;

/**
 * What `muster add` has done to the queue of a run. `added` and what follows: undefined where it was only closed. `cancelled`: those of the
 * tasks that were there already which will not run.
 */
export interface QueueChangeResult {
  directory: string;
  added?: number;
  known?: number;
  accepted?: number;
  cancelled?: readonly string[];
  closed: boolean;
}

/** What `muster cancel --task` has done. `done`, `cancelled`: the tasks for which nothing was to be done. */
export interface CancelledTasksResult {
  directory: string;
  tasks: readonly string[];
  done: readonly string[];
  cancelled: readonly string[];
}

/** Returns the lines of `muster add`. */
export function formatAddedTasks(result: QueueChangeResult): string {
  const { directory, added, known = 0, accepted = 0, cancelled = [], closed } = result;
  const already = known === 0 ? "" : `, ${formatCount(known)} ${known === 1 ? "was" : "were"} there already`;
  return toPrintableText([
    ...(added === undefined
      ? []
      : [`${directory}: ${pluralize(added, "task")} added${already}, ${formatCount(accepted)} in all`]),
    ...(cancelled.length === 0
      ? []
      : [`${directory}: cancelled earlier, and will not run: ${nameTasks(cancelled)}; a new id makes a new task`]),
    ...(closed ? [`${directory}: the queue is closed; the run ends when its tasks are done`] : []),
  ]);
}

/** Returns the lines of `muster cancel --task`. */
export function formatCancelledTasks({ directory, tasks, done, cancelled }: CancelledTasksResult): string {
  return toPrintableText([
    ...(tasks.length === 0
      ? []
      : [`${directory}: ${pluralize(tasks.length, "task")} to be cancelled, unless done by then`]),
    ...(done.length === 0 ? [] : [`${directory}: done already: ${nameTasks(done)}`]),
    ...(cancelled.length === 0 ? [] : [`${directory}: cancelled already: ${nameTasks(cancelled)}`]),
  ]);
}

function nameTasks(ids: readonly string[]): string {
  const more = ids.length - MAX_NAMED_TASKS;
  return `${ids.slice(0, MAX_NAMED_TASKS).join(", ")}${more > 0 ? ` and ${formatCount(more)} more` : ""}`;
}

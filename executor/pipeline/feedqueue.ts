import { parseTasks } from "../../schemas/parsesource.js";
import { readTextFile } from "../../schemas/textfile.js";
import { addTasks, closeQueue, type RunQueue } from "../run/queue/addtasks.js";
import { locateFile, type OutputPlace } from "./locateinputs.js";
import type { FileReference } from "./pipeline.js";

/**
 * Adds the tasks of a step to its queue, and closes it, unless it closes by itself. A step that is resumed has them already. Rejects as
 * addTasks does, and with NO_RESULTS (65) where the other step has not produced the file.
 */
export async function feedQueue(place: OutputPlace, queue: RunQueue, tasks: FileReference): Promise<void> {
  const file = tasks.kind === "file" ? tasks.path : locateFile(place, tasks);
  const text = readTextFile(file);
  // A step that finds nothing to do writes an empty file.
  if (text.trim() !== "") await addTasks(queue, parseTasks(file, text));
  if (queue.job.queue?.idleSeconds === undefined) await closeQueue(queue);
}

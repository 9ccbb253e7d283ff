import { setTimeout as sleep } from "node:timers/promises";
import type { MusterError } from "../../../schemas/errors.js";
import { parseTasks } from "../../../schemas/parsesource.js";
import { addTasks, closeQueue, type RunQueue } from "../queue/addtasks.js";
import type { TaskSink } from "./tasksink.js";

/** How long the coordinator may take to read what was added, before the program is asked for more. */
const READ_SECONDS = 5;
const POLL_MS = 20;

/** Returns how tasks are added to the queue of a run: as `muster add` does. Undefined where the job has no queue. */
export function createQueueSink(queue: RunQueue): TaskSink | undefined {
  const { queue: tasks } = queue.job;
  if (tasks === undefined) return undefined;
  const waitUntilRead = async (count: bigint) => {
    for (let left = (READ_SECONDS * 1000) / POLL_MS; tasks.accepted < count && left > 0; left--) await sleep(POLL_MS);
  };
  return {
    get acceptedCount() {
      return tasks.accepted;
    },
    get isOpen() {
      return tasks.isOpen;
    },
    async add(texts) {
      const { added, accepted } = await addTasks(queue, parseTasks("ask", `${texts.join("\n")}\n`));
      await waitUntilRead(BigInt(accepted));
      return added;
    },
    async close() {
      await closeQueue(queue);
    },
    isRefusal: ({ code }: MusterError) => code === "INVALID_FILE" || code === "QUEUE_CLOSED" || code === "CHANGED",
  };
}

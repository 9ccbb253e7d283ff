import type { Job } from "../../job/job.js";
import type { Coordinator } from "../coordinator.js";
import type { RunDirectory } from "../record/rundir.js";
import { Asker } from "./asker.js";
import { Outcomes } from "./outcomes.js";
import { createQueueSink } from "./queuesink.js";

/** Creates the asker of a run, before its first result; undefined where the job has no `ask` program. */
export function createAsker(
  job: Job,
  { path, replay }: RunDirectory,
  coordinator: Coordinator,
  notice: (message: string) => void,
): Asker | undefined {
  const { ask: argv } = job;
  if (argv === undefined) return undefined;
  const outcomes = Outcomes.open(path, replay.resultsBytes);
  return new Asker({ argv, path, coordinator, outcomes, sink: createQueueSink({ path, job }), notice });
}

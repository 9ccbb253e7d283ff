import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { RunQueue } from "../executor/run/queue/addtasks.js";
import { hasQueue, openJobQueue, openRunQueue } from "../executor/run/queue/findqueue.js";
import { UsageError } from "../schemas/errors.js";
import { findRunDirectory, requireRunDirectory } from "./findrun.js";

/** Returns the queue of a run directory, of a run in ./runs, or of a job file. `out`: the run directory of a job file, if it is another one. */
export async function findRunQueue(run: string, out: string | undefined): Promise<RunQueue> {
  if (statSync(run, { throwIfNoEntry: false })?.isFile())
    return openJobQueue(resolve(run), out === undefined ? undefined : resolve(out));
  if (out !== undefined) throw new UsageError("add: --out needs a job file", "Name the run directory alone.");
  const path = findRunDirectory(run) ?? [resolve(run), resolve("runs", run)].find(hasQueue);
  if (path !== undefined) return openRunQueue(path);
  if (existsSync(run)) return openRunQueue(resolve(run));
  if (/\.(ya?ml|json)$/i.test(run))
    throw new UsageError(`${run}: no such file`, "Name a job file, or the directory of a run.");
  return openRunQueue(requireRunDirectory(run));
}

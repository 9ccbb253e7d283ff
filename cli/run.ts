import { resolve } from "node:path";
import { loadJob } from "../executor/job/loadjob.js";
import { loadForRun } from "../executor/run/record/ownresults.js";
import { resolveRunPath } from "../executor/run/record/runlock.js";
import { findInventory, selectNodes } from "../fleet/inventory.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { detectFileKind } from "../schemas/filekind.js";
import { readSource } from "../schemas/parsesource.js";
import type { Source } from "../schemas/source.js";
import { parseRangeOption, parseSetOptions, type RunCommandOptions, rejectCronOnlyOptions } from "./options.js";
import { type LoadedJob, outOf, performJob } from "./performjob.js";
import type { StartListener } from "./startlistener.js";

/**
 * `muster run FILE`: checks everything, runs the job or the pipeline, and prints the result. `listener` is notified of the start. Returns
 * the exit status.
 */
export async function run(
  file: string,
  options: RunCommandOptions,
  writers: Writers,
  listener?: StartListener,
): Promise<number> {
  const loaded = await loadJobFile(file, options);
  if (loaded.kind === "pipeline") {
    const { runPipelineFile } = await import("./runpipeline.js");
    return runPipelineFile(resolve(file), options, writers, listener);
  }
  return performJob(loaded, options, writers, { listener });
}

/** What FILE is: a pipeline, or a job with the nodes that it may run on. */
export type LoadedFile = { kind: "pipeline" } | ({ kind: "job" } & LoadedJob);

/** Loads a job. The file is read only once, because reading a large one takes seconds. */
export async function loadJobFile(file: string, options: RunCommandOptions): Promise<LoadedFile> {
  const source = readSource(resolve(file));
  if (detectFileKind(source) === "pipeline") return { kind: "pipeline" };
  if (options.from !== undefined || options.only !== undefined || options.cron)
    throw new UsageError("--from, --only and --cron are for pipelines", `${file} is a job.`);
  rejectCronOnlyOptions(options);
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const nodes = selectNodes(inventory, options.limit);
  const jobOptions = {
    set: parseSetOptions(options.set),
    range: parseRangeOption(options.range),
    results: options.results === undefined ? undefined : resolve(options.results),
    overwrite: options.overwrite,
    inventory,
  };
  let unread: Source | undefined = source;
  const load = (ownResults: ReadonlySet<string>) => {
    // Options are written into the source, so it is loaded once.
    const job = loadJob(unread ?? readSource(resolve(file)), { ...jobOptions, ownResults });
    unread = undefined;
    return job;
  };
  const job = await loadForRun(load, (one) => resolveRunPath(one, outOf(options), options.fresh === true));
  if (options.overwrite && job.results === undefined)
    throw new UsageError("--overwrite needs a folder of results", "Add --results DIR.");
  return { kind: "job", inventory, nodes, job };
}

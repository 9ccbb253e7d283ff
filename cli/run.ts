import { resolve } from "node:path";
import { type LaunchSettings, type LoadedJob, loadForLaunch } from "../launch/loadforlaunch.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { detectFileKind } from "../schemas/filekind.js";
import { parseObjectSource } from "../schemas/objectsource.js";
import { readSource } from "../schemas/parsesource.js";
import type { Source } from "../schemas/source.js";
import { readTextStream } from "../schemas/textfile.js";
import { parseRangeOption, parseSetOptions, type RunCommandOptions, rejectCronOnlyOptions } from "./options.js";
import { outOf, performJob } from "./performjob.js";
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
    if (options.jsonLines) throw new UsageError("--json-lines is for jobs", `${file} is a pipeline: use --json.`);
    const { runPipelineFile } = await import("./runpipeline.js");
    return runPipelineFile(resolve(file), options, writers, listener);
  }
  // Progress and warnings are as with --json.
  const shown = options.jsonLines ? { ...options, json: true } : options;
  return performJob(loaded, shown, writers, { listener });
}

/** What FILE is: a pipeline, or a job with the nodes that it may run on. */
export type LoadedFile = { kind: "pipeline" } | ({ kind: "job" } & LoadedJob);

/** Loads a job. The file is read only once, because reading a large one takes seconds. */
export async function loadJobFile(file: string, options: RunCommandOptions): Promise<LoadedFile> {
  const read = await prepareReading(file);
  const source = read();
  if (detectFileKind(source) === "pipeline") {
    if (file === STDIN) throw new UsageError("a pipeline cannot be read from stdin", "Write it to a file.");
    return { kind: "pipeline" };
  }
  if (options.from !== undefined || options.only !== undefined || options.cron)
    throw new UsageError("--from, --only and --cron are for pipelines", `${file} is a job.`);
  rejectCronOnlyOptions(options);
  // A large file is read once: options are written into the source only when it is loaded.
  let unread: Source | undefined = source;
  const createSource = () => {
    const created = unread ?? read();
    unread = undefined;
    return created;
  };
  return { kind: "job", ...(await loadForLaunch(createSource, readLaunchSettings(options))) };
}

/** The name of a file that means a job in JSON on stdin, whose relative paths start from the current folder. */
const STDIN = "-";

/** Returns a function that parses the job, again for each call. */
async function prepareReading(file: string): Promise<() => Source> {
  if (file !== STDIN) return () => readSource(resolve(file));
  const content = await readTextStream(process.stdin, "stdin");
  return () => parseObjectSource(content, process.cwd());
}

function readLaunchSettings(options: RunCommandOptions): LaunchSettings {
  const { inventory, limit, set, range, results, overwrite, fresh } = options;
  return {
    inventory,
    limit,
    set: parseSetOptions(set),
    range: parseRangeOption(range),
    results: results === undefined ? undefined : resolve(results),
    overwrite,
    out: outOf(options),
    fresh: fresh === true,
  };
}

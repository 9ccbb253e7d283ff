import { InvalidFileError, UsageError } from "../../schemas/errors.js";
import { readSource } from "../../schemas/parsesource.js";
import { readTextFile } from "../../schemas/textfile.js";
import { InputOverrides } from "../job/inputoverrides.js";
import type { Job } from "../job/job.js";
import { loadJob } from "../job/loadjob.js";
import { locateFile, locateInputs } from "./locateinputs.js";
import { type JobAction, nameStepJob, type PipelineStep } from "./pipeline.js";
import type { PipelineContext } from "./stepcontext.js";

/**
 * Loads the job of a step that is ready to run: its inputs, and the file of a job that another step makes, exist. Returns undefined
 * where that step has made a jobs file without jobs. Throws InvalidFile with every problem, and NO_RESULTS for a missing output.
 */
export function loadStepJob(
  context: Pick<PipelineContext, "pipeline" | "path" | "inventory">,
  step: PipelineStep,
  action: JobAction,
): Job | undefined {
  const { source, set, range, enough, folder } = action;
  const isMade = source.kind === "output";
  const file = isMade ? locateFile(context, source) : source.path;
  if (isMade && hasNoJobs(file)) return undefined;
  const inputs = locateInputs(context, step);
  const inputOverrides = new InputOverrides(new Map(inputs.map(({ path, parts }) => [path, parts])));
  const name = nameStepJob(context.pipeline.name, step.name);
  const options = { set, range, enough, folder, inputOverrides, inventory: context.inventory, name };
  const job = reportUsageErrors(step, action, () => loadJob(file, options));
  // The inputs of any other job have been checked before the pipeline began.
  const unused = isMade ? inputOverrides.listUnused() : [];
  if (unused.length > 0)
    throw new InvalidFileError(
      unused.map((path) => ({
        ...action.position,
        message: `steps.${step.name}.inputs: the job has no input "${path}"`,
        hint: `list it under inputs of ${file}`,
      })),
    );
  return job;
}

/** Turns the errors of options that do not fit a job into problems of the step that has them. */
function reportUsageErrors(step: PipelineStep, action: JobAction, load: () => Job): Job {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const message = `steps.${step.name}: ${error.message}`;
    throw new InvalidFileError([{ ...action.position, message, hint: error.next }]);
  }
}

/** Whether a file is a jobs file without jobs, as a step writes it that finds nothing to do. */
function hasNoJobs(file: string): boolean {
  if (/\.(ndjson|jsonl)$/.test(file)) return readTextFile(file).trim() === "";
  const source = readSource(file);
  const jobs = source.get(["jobs"]);
  return Array.isArray(jobs) && jobs.length === 0 && source.get(["kind"]) === undefined;
}

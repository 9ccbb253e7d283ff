import { InvalidFileError, UsageError } from "../../schemas/errors.js";
import { readSource } from "../../schemas/parsesource.js";
import { readTextFile } from "../../schemas/textfile.js";
import { listProgramFolders } from "../job/askprogram.js";
import { InputOverrides } from "../job/inputoverrides.js";
import type { Job } from "../job/job.js";
import { loadJob } from "../job/loadjob.js";
import { locateFile, locateInputs } from "./locateinputs.js";
import { readMadeFile } from "./madefile.js";
import { type JobAction, nameStepJob, type PipelineStep } from "./pipeline.js";
import type { PipelineContext } from "./stepcontext.js";

type StepJobContext = Pick<PipelineContext, "pipeline" | "path" | "inventory"> & { overwrite?: boolean };

/**
 * Loads the job of a step that is ready to run: its inputs, and the file of a job that another step makes, exist. Returns undefined
 * where that step has made a jobs file without jobs. Throws INVALID_FILE (65) with every problem, and NO_RESULTS (65) for an output that
 * is not there. `ownResults`: see JobOptions.
 */
export function loadStepJob(
  context: StepJobContext,
  step: PipelineStep,
  action: JobAction,
  ownResults: ReadonlySet<string> = new Set(),
): Job | undefined {
  const { source } = action;
  if (source.kind === "file") return loadFile(context, step, action, source.path, ownResults).job;
  return readMadeFile(source.step, () => {
    const file = locateFile(context, source);
    if (hasNoJobs(file)) return undefined;
    const { job, inputOverrides } = loadFile(context, step, action, file, ownResults);
    // Any other job has been checked before the pipeline began.
    rejectUnusedInputs(step, action, inputOverrides);
    return job;
  });
}

function loadFile(
  context: StepJobContext,
  step: PipelineStep,
  action: JobAction,
  file: string,
  ownResults: ReadonlySet<string>,
): { job: Job; inputOverrides: InputOverrides } {
  const { set, range, enough, folder } = action;
  const inputs = locateInputs(context, step);
  const inputOverrides = new InputOverrides(new Map(inputs.map(({ path, parts }) => [path, parts])));
  const name = nameStepJob(context.pipeline.name, step.name);
  const { inventory, overwrite } = context;
  const programFolders = listProgramFolders(process.env.PATH);
  const options = {
    set,
    range,
    enough,
    folder,
    inputOverrides,
    inventory,
    name,
    overwrite,
    ownResults,
    programFolders,
  };
  return { job: reportUsageErrors(step, action, () => loadJob(file, options)), inputOverrides };
}

function rejectUnusedInputs(step: PipelineStep, { position }: JobAction, inputOverrides: InputOverrides): void {
  const unused = inputOverrides.listUnused();
  if (unused.length === 0) return;
  throw new InvalidFileError(
    unused.map((path) => ({
      ...position,
      message: `steps.${step.name}.inputs: the job has no input "${path}"`,
      hint: "list it under inputs of the job",
    })),
  );
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

import { existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Inventory } from "../../fleet/inventory.js";
import { InvalidFileError, UsageError } from "../../schemas/errors.js";
import { suggest } from "../../schemas/suggest.js";
import { listProgramFolders } from "../job/askprogram.js";
import { readEnough } from "../job/enough.js";
import { InputOverrides } from "../job/inputoverrides.js";
import { isBelow } from "../job/inputs.js";
import type { Job } from "../job/job.js";
import { loadJob } from "../job/loadjob.js";
import type { JobReader, KeyPath } from "../job/reader.js";
import { dependsOnEach, repeatStep } from "./each.js";
import { readFileReference } from "./filereference.js";
import { type EachValues, type JobAction, nameStepJob, type PipelineStep, type StepInput } from "./pipeline.js";

/** What is known of a step before its action is read. */
export interface StepReadContext {
  /** The pipeline's. */
  pipelineName: string;
  inputs: StepInput[];
  each: EachValues | undefined;
  /** Where the jobs of steps that it needs publish results: an input there may not exist yet. */
  publishedFolders: readonly string[];
  /** From `--set` on the command line. */
  set: Record<string, string>;
  inventory: Inventory | undefined;
}

/** Reads a job step. Its job is loaded, if it exists: with `each`, for every value. Returns undefined where that fails. */
export function readJobAction(reader: JobReader, step: string, context: StepReadContext): JobAction | undefined {
  const at = ["steps", step];
  const source = readFileReference(reader, [...at, "job"]);
  if (source === undefined) return undefined;
  const action: JobAction = {
    kind: "job",
    source,
    folder:
      readFolder(reader, [...at, "folder"], `steps.${step}.folder`) ??
      (source.kind === "output" ? reader.folder : undefined),
    set: { ...reader.texts([...at, "set"]), ...context.set },
    range: readRange(reader, [...at, "range"]),
    tasks: readFileReference(reader, [...at, "tasks"]),
    enough: readEnough(reader, [...at, "enough"], `steps.${step}.enough`),
    position: reader.source.positionOf([...at, "job"]),
  };
  // What a step makes is checked as soon as it exists: a job, or values that the job depends on.
  if (source.kind === "output") return action;
  const hasUnknownValues = context.each?.kind === "lines";
  if (hasUnknownValues && dependsOnEach(source.path)) return action;
  if (hasUnknownValues && Object.values(action.set).some(dependsOnEach))
    return hasJobFile(reader, step, source.path) ? action : undefined;
  const jobs = listRepeatedActions(action, context).map((one) => loadLocalJob(reader, step, one, context));
  return jobs.includes(undefined) ? undefined : { ...action, job: jobs[0] };
}

/** Returns the action for each value, without those that load the same job; the action itself in a step without `each`. */
function listRepeatedActions(action: JobAction, { each, inputs }: StepReadContext): JobAction[] {
  if (each === undefined || each.kind === "lines") return [action];
  const { position } = action;
  const step: PipelineStep = { name: "", needs: [], inputs, action, when: "always", position };
  const actions = repeatStep(step, each.values).map((one) => one.action as JobAction);
  return [...new Map(actions.map((one) => [JSON.stringify([one.source, one.set]), one])).values()];
}

function loadLocalJob(
  reader: JobReader,
  step: string,
  { source, set, range, enough, folder, tasks }: JobAction,
  context: StepReadContext,
): Job | undefined {
  const at = ["steps", step];
  if (source.kind === "output" || !hasJobFile(reader, step, source.path)) return undefined;
  const base = folder ?? dirname(source.path);
  const mayAppear = (path: string) => context.publishedFolders.some((one) => isBelow(one, resolve(base, path)));
  const inputOverrides = new InputOverrides(new Map(context.inputs.map(({ path }) => [path, undefined])), mayAppear);
  const name = nameStepJob(context.pipelineName, step);
  const programFolders = listProgramFolders(process.env.PATH);
  const options = { set, range, enough, folder, inputOverrides, inventory: context.inventory, name, programFolders };
  const job = loadOrReport(reader, [...at, "set"], () => loadJob(source.path, options));
  if (job === undefined) return undefined;
  if (tasks !== undefined && job.queue === undefined)
    reader.reportAt(
      [...at, "tasks"],
      `steps.${step}.tasks: its job is of kind ${job.kind}`,
      "only a queue takes tasks",
    );
  for (const path of inputOverrides.listUnused())
    reader.report(
      reader.source.positionOfKey([...at, "inputs", path]),
      `steps.${step}.inputs: the job has no input "${path}"`,
      suggestInput(path, job),
    );
  return job;
}

/** Whether a job file exists; reports it otherwise. */
function hasJobFile(reader: JobReader, step: string, path: string): boolean {
  if (existsSync(path)) return true;
  const at = ["steps", step, "job"];
  reader.reportAt(at, `steps.${step}.job: "${reader.text(at)}" does not exist`, `looked for ${path}`);
  return false;
}

/** Reports the problems of a job file together with those of the pipeline. */
function loadOrReport(reader: JobReader, at: KeyPath, load: () => Job): Job | undefined {
  try {
    return load();
  } catch (error) {
    if (error instanceof InvalidFileError) reader.problems.push(...error.problems);
    else if (error instanceof UsageError) reader.reportAt(at, error.message, error.next);
    else throw error;
    return undefined;
  }
}

function suggestInput(path: string, job: Job): string | undefined {
  return (
    suggest(path, [...new Set([...job.stagedFiles()].map((file) => file.path))].slice(0, 1000)) ??
    "list it under inputs of the job"
  );
}

function readFolder(reader: JobReader, at: KeyPath, what: string): string | undefined {
  const text = reader.text(at);
  if (text === undefined) return undefined;
  const folder = resolve(reader.folder, text);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return folder;
  reader.reportAt(at, `${what}: there is no folder "${text}"`, `looked for ${folder}`);
  return undefined;
}

function readRange(reader: JobReader, at: KeyPath): [bigint, bigint] | undefined {
  const [start, end] = [reader.integer([...at, 0]), reader.integer([...at, 1])];
  return start === undefined || end === undefined ? undefined : [start, end];
}

import { dirname, resolve } from "node:path";
import type { Inventory } from "../../fleet/inventory.js";
import { checkSchema } from "../../schemas/checkschema.js";
import { InvalidFileError, MusterError, UsageError } from "../../schemas/errors.js";
import { detectFileKind } from "../../schemas/filekind.js";
import { readSource } from "../../schemas/parsesource.js";
import { suggest } from "../../schemas/suggest.js";
import { createInvalidFileError } from "../../schemas/violations.js";
import { deriveName } from "../job/derivedname.js";
import { JobReader } from "../job/reader.js";
import { sortTopologically } from "./dependencies.js";
import { readNotifications } from "./notificationconfig.js";
import type { Pipeline, PipelineStep, StepAction } from "./pipeline.js";
import { listPublishedFolders } from "./publishedfolders.js";
import { readSchedule, readScheduleConfig } from "./scheduleconfig.js";
import { readAction } from "./stepaction.js";
import { checkAcyclic, readDrafts, resolveOutputs } from "./stepdrafts.js";

/** Run directories and steps are named after a pipeline; a number would be one of its runs. */
const PIPELINE_NAMES = { maxLength: 50, fallback: "pipeline", forbidden: /^\d+$/ };

export interface PipelineLoadOptions {
  /** From `--set STEP.key=value`. */
  set?: Record<string, string>;
  /** The nodes and routes that jobs use. Checks that depend on it are left out without one. */
  inventory?: Inventory;
}

/**
 * Loads and checks a pipeline and the job file of every step without connecting to anything. Throws InvalidFile with every problem in
 * these files, or UsageError for a `set` that does not fit.
 */
export function loadPipeline(file: string, options: PipelineLoadOptions = {}): Pipeline {
  const path = resolve(file);
  const source = readSource(file);
  if (detectFileKind(source) !== "pipeline")
    throw new InvalidFileError([
      { ...source.positionOf([]), message: "is not a pipeline", hint: "a pipeline has `steps`" },
    ]);
  const reader = new JobReader(source, dirname(path));
  reader.problems.push(...checkSchema(source, "pipeline"));
  const name = reader.text(["name"]) ?? deriveName(path, PIPELINE_NAMES);
  const drafts = readDrafts(reader);
  checkAcyclic(reader, drafts);
  const settings = groupSettingsByStep(options.set ?? {}, [...drafts.keys()]);
  const dependencies = new Map([...drafts].map(([step, { needs }]) => [step, needs]));
  const actions = new Map<string, StepAction>();
  for (const step of sortTopologically(dependencies)) {
    const { inputs, each } = drafts.get(step)!;
    const publishedFolders = listPublishedFolders(step, dependencies, actions);
    const set = settings.get(step) ?? {};
    const { inventory } = options;
    const action = readAction(reader, step, { pipelineName: name, inputs, each, publishedFolders, set, inventory });
    if (action !== undefined) actions.set(step, action);
  }
  const steps = [...drafts].flatMap(([step, { needs, inputs, each }]): PipelineStep[] => {
    const at = ["steps", step];
    const action = actions.get(step);
    const when = reader.text([...at, "when"]) === "changed" ? "changed" : "always";
    return action === undefined
      ? []
      : [
          {
            name: step,
            needs,
            inputs,
            action,
            each,
            when,
            schedule: readSchedule(reader, at),
            position: source.positionOfKey(at),
          },
        ];
  });
  const runSettings = { ...readScheduleConfig(reader), notifications: readNotifications(reader) };
  for (const step of steps) resolveOutputs(reader, step, steps);
  if (reader.problems.length > 0) throw createInvalidFileError(reader.problems);
  return { name, file: path, folder: dirname(path), steps, ...runSettings };
}

/** Reads only the notifications of a pipeline, for a file that is otherwise invalid. Returns undefined where they cannot be read. */
export function loadNotifications(file: string): Pick<Pipeline, "name" | "folder" | "notifications"> | undefined {
  try {
    const source = readSource(file);
    const reader = new JobReader(source, dirname(resolve(file)));
    const notices = readNotifications(reader);
    if (reader.problems.length > 0) return undefined;
    return {
      name: reader.text(["name"]) ?? deriveName(resolve(file), PIPELINE_NAMES),
      folder: reader.folder,
      notifications: notices,
    };
  } catch (error) {
    if (error instanceof MusterError) return undefined;
    throw error;
  }
}

/** Groups `--set STEP.key=value` by step. Throws UsageError for an unknown step. */
function groupSettingsByStep(set: Record<string, string>, steps: string[]): Map<string, Record<string, string>> {
  const settings = new Map<string, Record<string, string>>();
  for (const [key, value] of Object.entries(set)) {
    const at = key.indexOf(".");
    const step = at < 0 ? key : key.slice(0, at);
    if (!steps.includes(step))
      throw new UsageError(
        `--set ${key}: there is no step "${step}"`,
        suggest(step, steps) ?? "In a pipeline, use --set STEP.key=value.",
      );
    if (at < 0) throw new UsageError(`--set ${key}: in a pipeline, use --set STEP.key=value`);
    settings.set(step, { ...settings.get(step), [key.slice(at + 1)]: value });
  }
  return settings;
}

import { basename, dirname, extname, resolve } from "node:path";
import type { Inventory } from "../../fleet/inventory.js";
import { checkSchema } from "../../schemas/checkschema.js";
import { InvalidFileError, MusterError, UsageError } from "../../schemas/errors.js";
import { detectFileKind } from "../../schemas/filekind.js";
import { readSource } from "../../schemas/parsesource.js";
import { suggest } from "../../schemas/suggest.js";
import { createInvalidFileError } from "../../schemas/violations.js";
import { normalizePath } from "../job/inputs.js";
import { JobReader } from "../job/reader.js";
import { findDependencyCycle } from "./dependencies.js";
import { readNotifications } from "./notificationconfig.js";
import type { Pipeline, PipelineStep, StepInput } from "./pipeline.js";
import { readSchedule, readScheduleConfig } from "./scheduleconfig.js";
import { readAction } from "./stepaction.js";
import { resolveStepOutput } from "./stepoutputs.js";

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
  const name = reader.text(["name"]) ?? deriveName(path);
  const drafts = readDrafts(reader);
  checkAcyclic(reader, drafts);
  const settings = groupSettingsByStep(options.set ?? {}, [...drafts.keys()]);
  const steps = [...drafts].flatMap(([step, { needs, inputs }]): PipelineStep[] => {
    const at = ["steps", step];
    const action = readAction(reader, step, {
      pipelineName: name,
      inputs,
      set: settings.get(step) ?? {},
      inventory: options.inventory,
    });
    const when = reader.text([...at, "when"]) === "changed" ? "changed" : "always";
    return action === undefined
      ? []
      : [
          {
            name: step,
            needs,
            inputs,
            action,
            when,
            schedule: readSchedule(reader, at),
            position: source.positionOfKey(at),
          },
        ];
  });
  const runSettings = { ...readScheduleConfig(reader), notifications: readNotifications(reader) };
  for (const step of steps) resolveInputs(reader, step, steps);
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
    return { name: reader.text(["name"]) ?? deriveName(resolve(file)), folder: reader.folder, notifications: notices };
  } catch (error) {
    if (error instanceof MusterError) return undefined;
    throw error;
  }
}

/** The dependencies and inputs of a step, before its action is read. */
interface StepDraft {
  needs: string[];
  inputs: StepInput[];
}

function readDrafts(reader: JobReader): Map<string, StepDraft> {
  const names = reader.keys(["steps"]);
  return new Map(
    names.map((step) => {
      const at = ["steps", step];
      const listed = reader.list([...at, "needs"]) ?? [];
      for (const { text, position } of listed)
        if (!names.includes(text))
          reader.report(position, `steps.${step}.needs: there is no step "${text}"`, suggest(text, names));
      const inputs = reader.keys([...at, "inputs"]).flatMap((path) => readInput(reader, step, path, names));
      const needed = new Set([...listed.map(({ text }) => text), ...inputs.map((input) => input.step)]);
      return [step, { needs: names.filter((name) => needed.has(name)), inputs }];
    }),
  );
}

function readInput(reader: JobReader, step: string, path: string, names: string[]): StepInput[] {
  const at = ["steps", step, "inputs", path];
  const text = reader.text(at);
  if (text === undefined) return [];
  const plain = normalizePath(path);
  if (!plain.ok)
    reader.report(reader.source.positionOfKey(at), `steps.${step}.inputs: the path "${path}" ${plain.message}`);
  const [from = "", ...rest] = text.split("/");
  if (!names.includes(from)) {
    reader.reportAt(at, `steps.${step}.inputs: "${text}": there is no step "${from}"`, suggest(from, names));
    return [];
  }
  return [{ path: plain.ok ? plain.path.replace(/\/$/, "") : path, step: from, from: rest.join("/") }];
}

function checkAcyclic(reader: JobReader, drafts: Map<string, StepDraft>): void {
  const found = findDependencyCycle(new Map([...drafts].map(([step, { needs }]) => [step, needs])));
  if (found === undefined) return;
  const [step = "", needed = ""] = found;
  const index = reader.list(["steps", step, "needs"])?.findIndex(({ text }) => text === needed) ?? -1;
  const input = reader
    .keys(["steps", step, "inputs"])
    .find((path) => reader.text(["steps", step, "inputs", path])?.split("/")[0] === needed);
  const at = index >= 0 ? ["needs", index] : ["inputs", input ?? ""];
  const message =
    found.length === 2 ? `step ${step} needs itself` : `these steps depend on one another: ${found.join(" -> ")}`;
  reader.reportAt(["steps", step, ...at], message, "remove one of these dependencies");
}

/** Replaces the output that each input names by its path in the folder of the step that produces it. */
function resolveInputs(reader: JobReader, step: PipelineStep, steps: PipelineStep[]): void {
  for (const input of step.inputs) {
    const producer = steps.find(({ name }) => name === input.step);
    if (producer === undefined) continue;
    const output = resolveStepOutput(producer.action, input.from);
    const at = reader.keys(["steps", step.name, "inputs"]).find((path) => isSameInput(path, input));
    if (output.ok) input.from = output.from;
    else reader.reportAt(["steps", step.name, "inputs", at ?? ""], `step ${input.step} ${output.message}`, output.hint);
  }
}

function isSameInput(path: string, input: StepInput): boolean {
  const plain = normalizePath(path);
  return plain.ok && plain.path.replace(/\/$/, "") === input.path;
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

function deriveName(path: string): string {
  const name = basename(path, extname(path))
    .replace(/[^A-Za-z0-9_.-]/g, "-")
    .replace(/^[.-]+/, "")
    .slice(0, 50);
  return name === "" || /^\d+$/.test(name) ? "pipeline" : name;
}

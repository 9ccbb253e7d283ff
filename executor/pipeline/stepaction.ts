import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Inventory } from "../../fleet/inventory.js";
import { listNamesAndTags, matchesPattern } from "../../fleet/selectnodes.js";
import { InvalidFileError, UsageError } from "../../schemas/errors.js";
import { suggest } from "../../schemas/suggest.js";
import { InputOverrides } from "../job/inputoverrides.js";
import type { Job, Template } from "../job/job.js";
import { readSeconds } from "../job/jobsettings.js";
import { loadJob } from "../job/loadjob.js";
import { readFiles } from "../job/outputs.js";
import type { JobReader, KeyPath } from "../job/reader.js";
import { parseTemplate } from "../job/template.js";
import { nameStepJob, type StepAction, type StepInput } from "./pipeline.js";

/** What is known of a step before its action is read. */
export interface StepReadContext {
  /** The pipeline's. */
  pipelineName: string;
  inputs: StepInput[];
  /** From `--set` on the command line. */
  set: Record<string, string>;
  inventory: Inventory | undefined;
}

const ACTION_KINDS = ["job", "provision", "verify", "command"] as const;
type ActionKind = (typeof ACTION_KINDS)[number];

/** Keys that are valid for some kinds of step only. */
const KINDS_BY_KEY: Record<string, ActionKind[]> = {
  set: ["job"],
  range: ["job"],
  inputs: ["job", "command"],
  when: ["job", "command"],
  nodes: ["provision", "verify"],
  outputs: ["command"],
  timeout: ["command"],
};

/** Reads the action of a step. Returns undefined where it is invalid, which is reported to `reader`. */
export function readAction(reader: JobReader, step: string, context: StepReadContext): StepAction | undefined {
  const at = ["steps", step];
  const kinds = ACTION_KINDS.filter((key) => reader.has([...at, key]));
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    const problem = kind === undefined ? "does not say what to run" : `has ${kinds.join(" and ")}`;
    reader.report(
      reader.source.positionOfKey(at),
      `steps.${step} ${problem}`,
      "a step has exactly one of job, provision, verify and command",
    );
    return undefined;
  }
  for (const [key, validKinds] of Object.entries(KINDS_BY_KEY))
    if (reader.has([...at, key]) && !validKinds.includes(kind))
      reader.report(
        reader.source.positionOfKey([...at, key]),
        `steps.${step}.${key} cannot be used with ${kind}`,
        `it can be used with ${validKinds.join(" and ")}`,
      );
  if (Object.keys(context.set).length > 0 && kind !== "job")
    throw new UsageError(`--set ${step}.${Object.keys(context.set)[0]}: step ${step} is not a job`);
  switch (kind) {
    case "job":
      return readJobAction(reader, step, context);
    case "command":
      return readCommandAction(reader, at, `steps.${step}`);
    case "provision":
    case "verify":
      return readPlaybookAction(reader, kind, at, step, context.inventory);
  }
}

function readJobAction(reader: JobReader, step: string, context: StepReadContext): StepAction | undefined {
  const at = ["steps", step];
  const text = reader.text([...at, "job"]);
  if (text === undefined) return undefined;
  const file = resolve(reader.folder, text);
  if (!existsSync(file)) {
    reader.reportAt([...at, "job"], `steps.${step}.job: "${text}" does not exist`, `looked for ${file}`);
    return undefined;
  }
  const set = { ...reader.texts([...at, "set"]), ...context.set };
  const range = readRange(reader, [...at, "range"]);
  const feeds = new InputOverrides(new Map(context.inputs.map(({ path }) => [path, undefined])));
  const options = {
    set,
    range,
    inputOverrides: feeds,
    inventory: context.inventory,
    name: nameStepJob(context.pipelineName, step),
  };
  const job = loadOrReport(reader, [...at, "set"], () => loadJob(file, options));
  if (job === undefined) return undefined;
  for (const path of feeds.listUnused())
    reader.report(
      reader.source.positionOfKey([...at, "inputs", path]),
      `steps.${step}.inputs: the job has no input "${path}"`,
      suggestInput(path, job),
    );
  return { kind: "job", file, set, range, job };
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

function readRange(reader: JobReader, at: KeyPath): [bigint, bigint] | undefined {
  const [start, end] = [reader.integer([...at, 0]), reader.integer([...at, 1])];
  return start === undefined || end === undefined ? undefined : [start, end];
}

function readCommandAction(reader: JobReader, at: KeyPath, what: string): StepAction {
  const placeholders = new Set(["in", "out"]);
  const argv = (reader.list([...at, "command"]) ?? []).map(({ text, position }, index): Template => {
    const { template, fault } = parseTemplate(text, placeholders);
    if (fault !== undefined) reader.report(position, `${what}.command[${index}]: ${fault.message}`, fault.hint);
    return template;
  });
  const scope = { cwd: ".", hasProject: false };
  const outputs = readFiles(reader, reader.list([...at, "outputs"]) ?? [], `${what}.outputs`, scope);
  return { kind: "command", argv, outputs, timeoutSeconds: readSeconds(reader, [...at, "timeout"]) };
}

function readPlaybookAction(
  reader: JobReader,
  kind: "provision" | "verify",
  at: KeyPath,
  step: string,
  inventory: Inventory | undefined,
): StepAction {
  const playbooks = (reader.list([...at, kind]) ?? []).map(({ text }) => text);
  const nodes = reader.list([...at, "nodes"]);
  for (const { text, position } of inventory === undefined ? [] : (nodes ?? []))
    if (!inventory!.nodes.some((node) => matchesPattern(node, text)))
      reader.report(
        position,
        `steps.${step}.nodes: the inventory has no node or tag "${text}"`,
        suggest(text, listNamesAndTags(inventory!.nodes)),
      );
  return { kind, playbooks, nodes: nodes?.map(({ text }) => text), position: reader.source.positionOf([...at, kind]) };
}

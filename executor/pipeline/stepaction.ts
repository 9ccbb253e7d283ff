import type { Inventory } from "../../fleet/inventory.js";
import { matchesPattern, suggestNode } from "../../fleet/selectnodes.js";
import { UsageError } from "../../schemas/errors.js";
import type { Template } from "../job/job.js";
import { readSeconds } from "../job/jobsettings.js";
import { readFiles } from "../job/outputs.js";
import type { JobReader, KeyPath } from "../job/reader.js";
import { parseTemplate } from "../job/template.js";
import { readJobAction, type StepReadContext } from "./jobaction.js";
import type { StepAction } from "./pipeline.js";

const ACTION_KINDS = ["job", "provision", "verify", "command"] as const;
type ActionKind = (typeof ACTION_KINDS)[number];

/** Keys that are valid for some kinds of step only. */
const KINDS_BY_KEY: Record<string, ActionKind[]> = {
  set: ["job"],
  range: ["job"],
  folder: ["job"],
  enough: ["job"],
  tasks: ["job"],
  each: ["job", "command"],
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

function readCommandAction(reader: JobReader, at: KeyPath, what: string): StepAction {
  const placeholders = new Set(["in", "out", ...(reader.has([...at, "each"]) ? ["each"] : [])]);
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
        suggestNode(text, { ...inventory!, clusters: [] }),
      );
  return { kind, playbooks, nodes: nodes?.map(({ text }) => text), position: reader.source.positionOf([...at, kind]) };
}

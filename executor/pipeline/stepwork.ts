import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Inventory } from "../../fleet/inventory.js";
import { isMeant, words } from "../../fleet/select.js";
import { InvalidFile, UsageError } from "../../schemas/errors.js";
import { suggest } from "../../schemas/nearest.js";
import { Feeds } from "../job/feeds.js";
import type { Job, Template } from "../job/job.js";
import { loadJob } from "../job/load.js";
import { plainOutputs } from "../job/outputs.js";
import type { Path, Reader } from "../job/reader.js";
import { seconds } from "../job/settings.js";
import { parseTemplate } from "../job/template.js";
import { type Feed, jobName, type StepWork } from "./pipeline.js";

/** What is known of a step before what it runs is looked at. */
export interface StepContext {
  /** The pipeline's. */
  name: string;
  feeds: Feed[];
  /** From the command line. */
  set: Record<string, string>;
  inventory: Inventory | undefined;
}

const KINDS = ["job", "provision", "verify", "command"] as const;
type Kind = (typeof KINDS)[number];

/** Keys of a step that go with some kinds alone. */
const GOES_WITH: Record<string, Kind[]> = {
  set: ["job"],
  range: ["job"],
  inputs: ["job", "command"],
  when: ["job", "command"],
  nodes: ["provision", "verify"],
  outputs: ["command"],
  timeout: ["command"],
};

/** What a step runs; undefined, and noted, where that cannot be. */
export function readWork(reader: Reader, step: string, context: StepContext): StepWork | undefined {
  const at = ["steps", step];
  const kinds = KINDS.filter((key) => reader.has([...at, key]));
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    const what = kind === undefined ? "says nothing that runs" : `has ${kinds.join(" and ")}`;
    reader.note(
      reader.source.atKey(at),
      `steps.${step} ${what}`,
      "a step has one of job, provision, verify and command",
    );
    return undefined;
  }
  for (const [key, with_] of Object.entries(GOES_WITH))
    if (reader.has([...at, key]) && !with_.includes(kind))
      reader.note(
        reader.source.atKey([...at, key]),
        `steps.${step}.${key} does not go with ${kind}`,
        `it goes with ${with_.join(" and ")}`,
      );
  if (Object.keys(context.set).length > 0 && kind !== "job")
    throw new UsageError(`--set ${step}.${Object.keys(context.set)[0]}: step ${step} is no job`);
  switch (kind) {
    case "job":
      return readJob(reader, step, context);
    case "command":
      return readCommand(reader, at, `steps.${step}`);
    default:
      return readPlaybooks(reader, kind, at, step, context.inventory);
  }
}

function readJob(reader: Reader, step: string, context: StepContext): StepWork | undefined {
  const at = ["steps", step];
  const text = reader.text([...at, "job"]);
  if (text === undefined) return undefined;
  const file = resolve(reader.folder, text);
  if (!existsSync(file)) {
    reader.fault([...at, "job"], `steps.${step}.job: "${text}" does not exist`, `looked for ${file}`);
    return undefined;
  }
  const set = { ...reader.texts([...at, "set"]), ...context.set };
  const range = readRange(reader, [...at, "range"]);
  const feeds = new Feeds(new Map(context.feeds.map(({ path }) => [path, undefined])));
  const options = { set, range, feeds, inventory: context.inventory, name: jobName(context.name, step) };
  const job = tryLoad(reader, [...at, "set"], () => loadJob(file, options));
  if (job === undefined) return undefined;
  for (const path of feeds.unused())
    reader.note(
      reader.source.atKey([...at, "inputs", path]),
      `steps.${step}.inputs: the job has no input "${path}"`,
      nearInput(path, job),
    );
  return { kind: "job", file, set, range, job };
}

/** The problems of the job's own file come out with the pipeline's. */
function tryLoad(reader: Reader, at: Path, load: () => Job): Job | undefined {
  try {
    return load();
  } catch (error) {
    if (error instanceof InvalidFile) reader.problems.push(...error.problems);
    else if (error instanceof UsageError) reader.fault(at, error.message, error.next);
    else throw error;
    return undefined;
  }
}

function nearInput(path: string, job: Job): string | undefined {
  return (
    suggest(path, [...new Set([...job.stagedFiles()].map((file) => file.path))].slice(0, 1000)) ??
    "list it under inputs of the job"
  );
}

function readRange(reader: Reader, at: Path): [bigint, bigint] | undefined {
  const [start, end] = [reader.whole([...at, 0]), reader.whole([...at, 1])];
  return start === undefined || end === undefined ? undefined : [start, end];
}

function readCommand(reader: Reader, at: Path, what: string): StepWork {
  const known = new Set(["in", "out"]);
  const words = (reader.list([...at, "command"]) ?? []).map(({ text, place }, index): Template => {
    const { template, faults } = parseTemplate(text, known);
    for (const { message, hint } of faults) reader.note(place, `${what}.command[${index}]: ${message}`, hint);
    return template;
  });
  const outputs = plainOutputs(reader, reader.list([...at, "outputs"]) ?? [], `${what}.outputs`);
  return { kind: "command", words, outputs, timeout: seconds(reader, [...at, "timeout"]) };
}

function readPlaybooks(
  reader: Reader,
  kind: "provision" | "verify",
  at: Path,
  step: string,
  inventory: Inventory | undefined,
): StepWork {
  const playbooks = (reader.list([...at, kind]) ?? []).map(({ text }) => text);
  const nodes = reader.list([...at, "nodes"]);
  for (const { text, place } of inventory === undefined ? [] : (nodes ?? []))
    if (!inventory!.nodes.some((node) => isMeant(node, text)))
      reader.note(
        place,
        `steps.${step}.nodes: the inventory has no node or tag "${text}"`,
        suggest(text, words(inventory!.nodes)),
      );
  return { kind, playbooks, nodes: nodes?.map(({ text }) => text), place: reader.source.at([...at, kind]) };
}

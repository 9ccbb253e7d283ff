import { isJsonObject } from "../../schemas/isjsonobject.js";
import type { CommandState } from "../engine/resource.js";

/** One step on a GPU, as templates/gpu_steps.py performs it. */
export type CardStep =
  /** A file of the GPU in sysfs; `hwmon/NAME` is one of its sensors. */
  | { do: "read"; file: string }
  /** Each text is a command of its own to the driver. If it refuses one, `undo` drops those before it. */
  | { do: "write"; file: string; texts: string[]; undo?: string }
  /** A word `{pci}` stands for the address of the GPU. */
  | { do: "run"; argv: string[] }
  /** What `remember` has recorded since the driver was loaded. */
  | { do: "recall"; name: string }
  | { do: "remember"; name: string; text: string };

/** The result of a step: what it read or printed, or why it failed; both for a tool that prints and fails. */
export interface CardStepResult {
  text?: string;
  error?: string;
}

/**
 * The results of each GPU's steps, by PCI address; or why there are none. `request`: the number of the request, of a program that takes
 * several.
 */
export type StepAnswer = StepResults | { problem: string };

interface StepResults {
  cards: Map<string, CardStepResult[]>;
  request?: number;
}

/** How long one step may take. */
export const STEP_TIMEOUT_SECONDS = 10;
const MAX_TEXT_CHARS = 1 << 16;
const MAX_REASON_CHARS = 200;
const ANSWER_PREFIX = '{"muster_gpu_steps": 1,';

/** Parses the answer of the program. Every field is checked, because nodes are not trusted. */
export function parseStepAnswer({ stdout, stderr, error, exit }: CommandState): StepAnswer {
  const lines = typeof stdout === "string" ? stdout.split("\n") : [];
  const line = lines.findLast((one) => one.startsWith(ANSWER_PREFIX));
  const results = line === undefined ? undefined : parseResults(line);
  if (results !== undefined) return results;
  const last = String(stderr).trim().split("\n").at(-1)?.slice(0, MAX_REASON_CHARS);
  return { problem: error ?? (last || `exit ${exit}`) };
}

function parseResults(line: string): StepResults | undefined {
  try {
    const { cards, request } = JSON.parse(line) as { cards?: unknown; request?: unknown };
    if (!isJsonObject(cards)) return undefined;
    const entries = Object.entries(cards).filter(([pci]) => /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(pci));
    return {
      cards: new Map(entries.map(([pci, results]) => [pci, Array.isArray(results) ? results.map(parseResult) : []])),
      ...(typeof request === "number" ? { request } : {}),
    };
  } catch {
    return undefined;
  }
}

function parseResult(value: unknown): CardStepResult {
  const { text, error } = isJsonObject(value) ? value : {};
  return {
    ...(typeof text === "string" ? { text: text.slice(0, MAX_TEXT_CHARS) } : {}),
    ...(typeof error === "string" ? { error: error.slice(0, MAX_REASON_CHARS) } : {}),
  };
}

/** Describes a step for a message. */
export function describeStep(step: CardStep): string {
  switch (step.do) {
    case "read":
      return `read ${step.file}`;
    case "write":
      return `write "${step.texts.join("; ")}" to ${step.file}`;
    case "run":
      return step.argv.filter((word) => word !== "-i" && word !== "{pci}").join(" ");
    case "recall":
      return `read what ${step.name} was set to`;
    case "remember":
      return `record what ${step.name} was set to`;
    default:
      return step satisfies never;
  }
}

/** What a GPU's steps have read, by file, by the name of a tool, or by the name of a record. */
export class Readings {
  constructor(
    private readonly steps: readonly CardStep[],
    private readonly results: readonly CardStepResult[],
  ) {}

  /** The result of the step that reads this; a step that was not reached has the error of the one that was not answered. */
  get(name: string): CardStepResult {
    const index = this.steps.findIndex(
      (step) =>
        (step.do === "read" && step.file === name) ||
        (step.do === "run" && step.argv[0] === name) ||
        (step.do === "recall" && step.name === name),
    );
    return this.results[index] ?? { error: this.results.at(-1)?.error ?? "no answer" };
  }
}

/** A setting of a GPU that is not as it is wanted. `have`, `want`: with units. */
export interface SettingDifference {
  setting: string;
  have: string;
  want: string;
  /** Why the card or its driver cannot take it; then nothing is changed on any GPU. */
  refusal?: string;
}

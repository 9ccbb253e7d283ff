import { suggest } from "../../schemas/suggest.js";
import { normalizePath } from "../job/inputs.js";
import type { JobReader, KeyPath } from "../job/reader.js";
import { findDependencyCycle } from "./dependencies.js";
import { dependsOnEach, fillEach, readEach } from "./each.js";
import { readFileReference } from "./filereference.js";
import type { EachValues, PipelineStep, StepFile, StepInput } from "./pipeline.js";
import { resolveStepOutput } from "./stepoutputs.js";

/** Keys of a step that may name an output of another one. */
const REFERENCE_KEYS = [["job"], ["tasks"], ["each", "lines"]];

/** The dependencies, inputs and values of a step, before its action is read. */
interface StepDraft {
  needs: string[];
  inputs: StepInput[];
  each: EachValues | undefined;
}

/** Reads what steps need of one another, by step. */
export function readDrafts(reader: JobReader): Map<string, StepDraft> {
  const names = reader.keys(["steps"]);
  return new Map(
    names.map((step) => {
      const at = ["steps", step];
      const listed = reader.list([...at, "needs"]) ?? [];
      for (const { text, position } of listed)
        if (!names.includes(text))
          reader.report(position, `steps.${step}.needs: there is no step "${text}"`, suggest(text, names));
      const inputs = reader.keys([...at, "inputs"]).flatMap((path) => readInput(reader, step, path, names));
      const each = readEach(reader, step);
      const named = REFERENCE_KEYS.map((key) => readFileReference(reader, [...at, ...key]));
      const needed = new Set([
        ...listed.map(({ text }) => text),
        ...inputs.map((input) => input.step),
        ...named.flatMap((one) => (one?.kind === "output" ? one.step : [])),
      ]);
      return [step, { needs: names.filter((name) => needed.has(name)), inputs, each }];
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
  return [{ path: plain.ok ? plain.path.replace(/\/$/, "") : path, step: from, file: rest.join("/") }];
}

/** Reports steps that depend on one another, at one of the keys that say so. */
export function checkAcyclic(reader: JobReader, drafts: Map<string, StepDraft>): void {
  const found = findDependencyCycle(new Map([...drafts].map(([step, { needs }]) => [step, needs])));
  if (found === undefined) return;
  const [step = "", needed = ""] = found;
  const index = reader.list(["steps", step, "needs"])?.findIndex(({ text }) => text === needed) ?? -1;
  const input = reader
    .keys(["steps", step, "inputs"])
    .find((path) => reader.text(["steps", step, "inputs", path])?.split("/")[0] === needed);
  const reference = REFERENCE_KEYS.find((key) => {
    const named = readFileReference(reader, ["steps", step, ...key]);
    return named?.kind === "output" && named.step === needed;
  });
  const at = index >= 0 ? ["needs", index] : input !== undefined ? ["inputs", input] : (reference ?? []);
  const message =
    found.length === 2 ? `step ${step} needs itself` : `these steps depend on one another: ${found.join(" -> ")}`;
  reader.reportAt(["steps", step, ...at], message, "remove one of these dependencies");
}

/** Finds the outputs of other steps that a step names, and reports those that are not there. */
export function resolveOutputs(reader: JobReader, step: PipelineStep, steps: PipelineStep[]): void {
  const at = ["steps", step.name];
  for (const input of step.inputs) {
    const key = reader.keys([...at, "inputs"]).find((path) => isSameInput(path, input));
    resolveOutput(reader, [...at, "inputs", key ?? ""], step, input, steps);
  }
  const { action, each } = step;
  if (action.kind === "job" && action.source.kind === "output")
    resolveOutput(reader, [...at, "job"], step, action.source, steps);
  if (action.kind === "job" && action.tasks?.kind === "output")
    resolveOutput(reader, [...at, "tasks"], step, action.tasks, steps);
  if (each?.kind === "lines")
    resolveOutput(reader, [...at, "each", "lines"], { ...step, each: undefined }, each.output, steps);
}

/** Sets the path of an output, where it is known. One that depends on the value of `each` is checked for every value. */
function resolveOutput(
  reader: JobReader,
  at: KeyPath,
  { each }: PipelineStep,
  output: StepFile,
  steps: PipelineStep[],
): void {
  const producer = steps.find(({ name }) => name === output.step);
  if (producer === undefined) return;
  const isRepeated = each !== undefined && dependsOnEach(output.file);
  const values = isRepeated ? (each.kind === "values" ? each.values : []) : [""];
  for (const value of values) {
    const found = resolveStepOutput(producer, isRepeated ? fillEach(output.file, value) : output.file);
    if (!found.ok) return reader.reportAt(at, `step ${output.step} ${found.message}`, found.hint);
    if (!isRepeated) output.from = found.from;
  }
}

function isSameInput(path: string, input: StepInput): boolean {
  const plain = normalizePath(path);
  return plain.ok && plain.path.replace(/\/$/, "") === input.path;
}

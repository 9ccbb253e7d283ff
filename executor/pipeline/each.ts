import { InvalidFileError } from "../../schemas/errors.js";
import { readTextFile } from "../../schemas/textfile.js";
import { encodeName, shortenId } from "../job/chunkids.js";
import type { JobReader, KeyPath } from "../job/reader.js";
import { fillTemplate } from "../job/template.js";
import { readFileReference } from "./filereference.js";
import { locateFile, type OutputPlace } from "./locateinputs.js";
import { readMadeFile } from "./madefile.js";
import type { EachValues, PipelineStep, StepAction } from "./pipeline.js";

/** More than this is work for one job with many chunks. */
const MAX_VALUES = 1000;
const PLACEHOLDER = "{each}";

/** Reads `each` of a step: a list, or the lines of a file. Returns undefined where there is none, or where it is invalid. */
export function readEach(reader: JobReader, step: string): EachValues | undefined {
  const at = ["steps", step, "each"];
  const listed = reader.list(at);
  if (listed !== undefined) {
    const faults = findValueFaults(listed.map(({ text }) => text));
    for (const { index, message } of faults) reader.report(listed[index]!.position, `steps.${step}.each: ${message}`);
    return { kind: "values", values: listed.map(({ text }) => text) };
  }
  const lines = [...at, "lines"];
  const source = readFileReference(reader, lines);
  if (source === undefined) return undefined;
  if (source.kind === "output") return { kind: "lines", output: source, position: reader.source.positionOf(lines) };
  return readLocalLines(reader, lines, source.path, step);
}

function readLocalLines(reader: JobReader, at: KeyPath, path: string, step: string): EachValues | undefined {
  try {
    return { kind: "values", values: readLines(path) };
  } catch (error) {
    if (!(error instanceof InvalidFileError)) throw error;
    const isMissing = error.problems.some(
      ({ line, message }) => line === undefined && message === "there is no such file",
    );
    if (isMissing)
      reader.reportAt(at, `steps.${step}.each.lines: "${reader.text(at)}" does not exist`, `looked for ${path}`);
    else reader.problems.push(...error.problems);
    return undefined;
  }
}

/** Returns the values of a step that is ready to run. Throws InvalidFile for lines that cannot be used, and as `locateFile` does. */
export function readEachValues(place: OutputPlace, each: EachValues): readonly string[] {
  if (each.kind === "values") return each.values;
  return readMadeFile(each.output.step, () => readLines(locateFile(place, each.output)));
}

/** Returns the lines of a file without those that are blank. Throws InvalidFile for one that cannot be a value. */
function readLines(file: string): string[] {
  const lines = readTextFile(file)
    .split("\n")
    .map((text, index) => ({ text: text.trim(), line: index + 1 }))
    .filter(({ text }) => text !== "");
  const faults = findValueFaults(lines.map(({ text }) => text));
  if (faults.length === 0) return lines.map(({ text }) => text);
  throw new InvalidFileError(
    faults.map(({ index, message }) => ({ file, line: lines[index]!.line, column: 1, message })),
  );
}

/** Returns the values that a step cannot be repeated over, with what is wrong with each. Pure. */
export function findValueFaults(values: readonly string[]): { index: number; message: string }[] {
  const known = new Set<string>();
  const faults: { index: number; message: string }[] = [];
  if (values.length > MAX_VALUES)
    return [
      {
        index: MAX_VALUES,
        message: `there are ${values.length} values, and a step is repeated at most ${MAX_VALUES} times`,
      },
    ];
  for (const [index, value] of values.entries()) {
    if (value === "") faults.push({ index, message: "a value must not be empty" });
    else if (value.includes("\0")) faults.push({ index, message: "a value must not contain a NUL character" });
    else if (known.has(value)) faults.push({ index, message: `"${value}" appears twice` });
    known.add(value);
  }
  return faults;
}

/** Returns a step for each value, named `STEP/FOLDER` after the folder that it has in the run directory. Pure. */
export function repeatStep(step: PipelineStep, values: readonly string[]): PipelineStep[] {
  return values.map((value, index) => ({
    ...step,
    name: `${step.name}/${nameFolder(value, index)}`,
    inputs: step.inputs.map((input) => ({ ...input, file: fillEach(input.file, value) })),
    action: repeatAction(step.action, value),
    each: undefined,
  }));
}

/** Encodes a value as a file name that is neither hidden nor the name of an incomplete folder. */
function nameFolder(value: string, index: number): string {
  return shortenId(encodeName(value).replace(/\.partial$/, "%2Epartial"), BigInt(index));
}

function repeatAction(action: StepAction, value: string): StepAction {
  switch (action.kind) {
    case "job": {
      const set = Object.fromEntries(Object.entries(action.set).map(([key, text]) => [key, fillEach(text, value)]));
      const { source } = action;
      if (source.kind === "file") return { ...action, set, source: { ...source, path: fillEach(source.path, value) } };
      return { ...action, set, source: { ...source, file: fillEach(source.file, value) } };
    }
    case "command":
      return { ...action, argv: action.argv.map((word) => fillTemplate(word, new Map([["each", value]]))) };
    case "provision":
    case "verify":
      return action;
    default:
      return action satisfies never;
  }
}

/** Replaces `{each}` in a text. */
export function fillEach(text: string, value: string): string {
  return text.replaceAll(PLACEHOLDER, () => value);
}

/** Whether a text depends on the value. */
export function dependsOnEach(text: string): boolean {
  return text.includes(PLACEHOLDER);
}

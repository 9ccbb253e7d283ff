import { existsSync, readdirSync } from "node:fs";
import { join, posix, resolve } from "node:path";
import { MusterError } from "../../schemas/errors.js";
import type { InputPart } from "../job/inputoverrides.js";
import { normalizePath } from "../job/inputs.js";
import { findAggregateFault } from "../job/jobsettings.js";
import { readSummary } from "../run/record/runsummary.js";
import type { PipelineStep, StepFile } from "./pipeline.js";
import type { PipelineContext } from "./stepcontext.js";

/** An input of a step, and the files and folders that it consists of. */
export interface LocatedInput {
  path: string;
  parts: InputPart[];
}

/** Where the outputs of steps are. */
export type OutputPlace = Pick<PipelineContext, "pipeline" | "path">;

/** The most files that a message lists. */
const MAX_NAMED_FILES = 10;

/** Returns where each input of a step is. Throws NO_RESULTS (65) for one that the other step has not produced. */
export function locateInputs(place: OutputPlace, step: PipelineStep): LocatedInput[] {
  return step.inputs.map((input) => ({ path: input.path, parts: locateOutput(place, input, input.path) }));
}

/** Returns where a single output is. Throws NO_RESULTS (65) where the step has not produced it. */
export function locateFile(place: OutputPlace, output: StepFile): string {
  const parts = locateOutput(place, output, "");
  if (parts.length === 1) return parts[0]!.source;
  throw new MusterError(
    "NO_RESULTS",
    `step ${output.step} has ${parts.length} files "${output.file}", one for each value`,
    {
      next: `Name one: ${output.step}/VALUE/${output.file}.`,
    },
  );
}

/**
 * Returns where an output is, as the parts of an input at `path`. Of a repeated step these are the files of all repetitions, in a
 * folder for each, unless the output begins with the name of one.
 */
function locateOutput({ pipeline, path: run }: OutputPlace, output: StepFile, path: string): InputPart[] {
  const { step, file } = output;
  const folder = join(run, step);
  if (pipeline.steps.find(({ name }) => name === step)?.each === undefined)
    return [{ path, source: findOutput(folder, output) }];
  const repetitions = listRepetitionFolders(folder);
  const only = repetitions.find((name) => file === name || file.startsWith(`${name}/`));
  if (only !== undefined) {
    const own = { step: `${step}/${only}`, file: file.slice(only.length + 1) };
    return [{ path, source: findOutput(join(folder, only), own) }];
  }
  return repetitions.map((name) => ({
    path: posix.join(path, name, file),
    source: findOutput(join(folder, name), { step: `${step}/${name}`, file }),
  }));
}

/** Returns the names of the folders of a step's repetitions, sorted. */
export function listRepetitionFolders(folder: string): string[] {
  const entries = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.endsWith(".partial"))
    .map(({ name }) => name)
    .sort();
}

function findOutput(folder: string, { step, file, from }: StepFile): string {
  const elsewhere = from === undefined ? readSummary(folder)?.results : undefined;
  const candidates = from === undefined ? listCandidates(file, elsewhere ?? "results") : [from];
  const found = candidates.map((path) => resolve(folder, path)).find((path) => existsSync(path));
  if (elsewhere !== undefined && (file === "" || found === undefined))
    throw new MusterError("NO_RESULTS", `step ${step} has no output "${file}" in ${elsewhere}`, {
      next: "Name one of the files that it publishes there as STEP/FILE.",
    });
  if (found !== undefined) return found;
  const made = existsSync(join(folder, "results")) ? readdirSync(join(folder, "results")).sort() : [];
  const more = made.length > MAX_NAMED_FILES ? ` and ${made.length - MAX_NAMED_FILES} more` : "";
  throw new MusterError("NO_RESULTS", `step ${step} has no output "${file}"`, {
    next:
      made.length === 0
        ? "It has produced none."
        : `It has produced ${made.slice(0, MAX_NAMED_FILES).join(", ")}${more}.`,
  });
}

/** Returns where an output may be whose job is not known here: among the results, or beside them, if it is the aggregate. */
function listCandidates(file: string, results: string): string[] {
  if (file === "") return [results];
  if (file === "results.ndjson") return [file];
  // A path that leaves the folder can only come from a value of `each`.
  if (!normalizePath(file).ok) return [];
  return [join(results, file), ...(findAggregateFault(file) === undefined ? [file] : [])];
}

import { existsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../../schemas/errors.js";
import { suggest } from "../../schemas/suggest.js";
import type { Job } from "./job.js";
import type { JobSettings } from "./jobsettings.js";
import { type DeclaredOutputs, listOutputNames, STDOUT } from "./outputs.js";
import type { JobReader } from "./reader.js";
import type { UnitSpace } from "./unitspace.js";

/**
 * Returns the folder that results are published in, as the options or the key `results` name it; undefined = the run directory. `given`:
 * from `--results` and `--overwrite`. Throws UsageError where `--results` names a file.
 */
export function readResults(reader: JobReader, given: { results?: string; overwrite?: boolean }): Job["results"] {
  const isMapping = reader.keys(["results"]).length > 0;
  const at = isMapping ? ["results", "folder"] : ["results"];
  const written = reader.sourceText(at);
  const folder = given.results ?? (written && resolveFolder(reader.folder, written.text));
  if (folder === undefined) return undefined;
  const file = findFileInPath(folder);
  if (file !== undefined) {
    const message = `${file} is a file and not a folder`;
    if (given.results !== undefined) throw new UsageError(`--results: ${message}`);
    reader.reportAt(at, `results: ${message}`, "name a folder; it is made if it does not exist");
  }
  return {
    folder,
    overwrite: given.overwrite === true || (isMapping && reader.source.get(["results", "overwrite"]) === true),
  };
}

/** Returns the folder itself, or the first one above it that exists, if that is no folder. */
function findFileInPath(folder: string): string | undefined {
  let path = folder;
  while (!existsSync(path)) path = dirname(path);
  return statSync(path).isDirectory() ? undefined : path;
}

function resolveFolder(base: string, path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : resolve(base, path);
}

/** Reports keys about results that do not fit the outputs of the chunks. */
export function checkResultKeys(reader: JobReader, space: UnitSpace, settings: JobSettings): void {
  const all = [...space.outputs];
  checkAggregate(reader, all, settings);
  checkCollect(reader, all, settings);
  if (settings.tty && all.some(({ takesStdout }) => takesStdout))
    reader.reportAt(
      ["tty"],
      "tty: outputs has stdout, but on a terminal what a program prints is mixed with its errors",
      "remove tty, or have the program write its result into a file",
    );
}

function checkAggregate(reader: JobReader, all: DeclaredOutputs[], { aggregate }: JobSettings): void {
  if (aggregate === undefined) return;
  const { from } = aggregate;
  if (all.some(({ outputs, takesStdout }) => outputs.includes(from) || (takesStdout && from === STDOUT))) return;
  const isFound = all.some(({ found = [] }) => found.some(({ written }) => written === from));
  const known = [...new Set(all.flatMap(listOutputNames))];
  reader.reportAt(
    ["aggregate", "from"],
    isFound
      ? `aggregate.from: "${from}" stands for several files, and one of each chunk can be combined`
      : `aggregate.from: "${from}" is not one of outputs`,
    isFound ? "name a file, or combine them in a step that runs after the job" : suggest(from, known),
  );
}

function checkCollect(reader: JobReader, all: DeclaredOutputs[], { collect }: JobSettings): void {
  if (collect !== "lines") return;
  const odd = all.map(listOutputNames).find((names) => names.length !== 1);
  if (odd !== undefined)
    reader.reportAt(
      ["collect"],
      `collect: lines needs exactly one output a chunk, not ${odd.length}`,
      "name one in outputs",
    );
  const other = all.find(({ found, appended }) => found !== undefined || appended !== undefined);
  if (odd === undefined && other !== undefined)
    reader.reportAt(["collect"], "collect: lines needs one file of JSON a chunk, or stdout", "name it in outputs");
}

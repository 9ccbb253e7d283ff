import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { ChunkSpec, Template } from "./job.js";
import type { Project } from "./project/project.js";

/** What is looked at of a job with many tasks, and of a project. */
const MAX_SPECS = 100;
const MAX_SOURCES = 200;
const MAX_SOURCE_BYTES = 1 << 20;
const MAX_NAMED = 3;
const SOURCE_FILE = /\.(py|sh|bash|pl|rb|js|mjs|r|jl|lua|c|cc|cpp|cu|h|hpp|rs|go)$/i;

type OutputsOfProgram = Pick<ChunkSpec, "program"> & Partial<Pick<ChunkSpec, "args" | "outputs" | "env">>;

/**
 * Returns a note about outputs whose names stand neither in arguments nor in the environment, the script or the project's sources: the
 * program may write them under other names. Nothing where all are mentioned.
 */
export function describeUnmentionedOutputs(specs: Iterable<OutputsOfProgram>, project: Project | undefined): string[] {
  const missing = new Set<string>();
  let left = MAX_SPECS;
  for (const spec of specs) {
    // What an installed module writes is not to be seen here.
    const outputs = spec.program.kind === "module" ? [] : (spec.outputs ?? []);
    for (const output of outputs) if (!isMentioned(output, listTexts(spec))) missing.add(output);
    if (--left === 0) break;
  }
  if (missing.size === 0) return [];
  const files = listSources(project);
  if (files.length > MAX_SOURCES) return []; // not all of them are looked at
  const sources = [...readSources(specs, files)];
  const names = [...missing].filter((output) => !isMentioned(output, sources));
  if (names.length === 0) return [];
  const more = names.length > MAX_NAMED ? ` (and ${names.length - MAX_NAMED} more)` : "";
  return [
    `no argument and no source file mentions ${names.slice(0, MAX_NAMED).join(", ")}${more}; a chunk fails if its program does not write it`,
  ];
}

/** Whether a text has the name of a file, also without its extension, which programs often add themselves. */
function isMentioned(output: string, texts: readonly string[]): boolean {
  const name = posix.basename(output);
  const stem = name.slice(0, name.length - posix.extname(name).length);
  return texts.some((text) => text.includes(name) || (stem.length > 2 && text.includes(stem)));
}

function listTexts({ program, args = [], env = {} }: OutputsOfProgram): string[] {
  const command = program.kind === "command" ? program.command : [];
  return [...command, ...args.map(toLiteral), ...Object.values(env)];
}

function toLiteral(argument: Template): string {
  return argument.map((piece) => (typeof piece === "string" ? piece : "")).join("");
}

function listSources(project: Project | undefined): string[] {
  const sources = (project?.files ?? []).filter(
    ({ path, sizeBytes }) => SOURCE_FILE.test(path) && sizeBytes <= MAX_SOURCE_BYTES,
  );
  return sources.map(({ path }) => join(project!.root, path));
}

/** `files`: of the project, absolute. */
function* readSources(specs: Iterable<OutputsOfProgram>, files: readonly string[]): Generator<string> {
  const paths = new Set(files);
  let left = MAX_SPECS;
  for (const { program } of specs) {
    if (program.kind === "script") paths.add(program.script.source);
    if (--left === 0) break;
  }
  for (const path of paths) {
    try {
      yield readFileSync(path, "utf8");
    } catch {
      // What cannot be read is reported where it is copied to nodes.
    }
  }
}

import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { ChunkSpec, Program, ProgramLaunch } from "./job.js";

/** The most programs of a job that its kind of work is made from. */
const MAX_PROGRAMS = 100;
const MAX_LABEL_CHARS = 40;

/**
 * Returns the name under which the learned rates of a job are filed: what runs, as a label and a hash. Scripts and modules are known by
 * their paths, since a rate hardly depends on their arguments; a command by all of its words, since `sh -c` may run anything. `folder`: of
 * the job, absolute, because programs of different projects often have the same name.
 */
export function describeWork(specs: Iterable<ProgramLaunch>, folder: string): string {
  const works = new Set<string>();
  let first: Program | undefined;
  for (const { program, args } of specs) {
    first ??= program;
    works.add(JSON.stringify(identify(program, args)));
    if (works.size >= MAX_PROGRAMS) break;
  }
  const hash = createHash("sha256")
    .update([folder, ...[...works].sort()].join("\n"))
    .digest("hex")
    .slice(0, 8);
  return `${first === undefined ? "none" : labelOf(first)}-${hash}`;
}

function identify(program: Program, args: ChunkSpec["args"] | undefined): unknown[] {
  switch (program.kind) {
    case "script":
      return ["script", program.script.path];
    case "nodeScript":
      return ["script", program.path];
    case "module":
      return ["module", program.module];
    case "command":
      return ["command", program.command, args];
    default:
      return program satisfies never;
  }
}

function labelOf(program: Program): string {
  const [name] = identify(program, undefined).slice(1).flat() as string[];
  return basename(name ?? "")
    .replace(/[^A-Za-z0-9_.-]/g, "-")
    .slice(0, MAX_LABEL_CHARS);
}

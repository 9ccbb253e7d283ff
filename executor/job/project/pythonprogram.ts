import { posix } from "node:path";
import type { ProgramLaunch, Template } from "../job.js";
import type { LaunchFolders } from "./project.js";

/** A Python program of a project. */
export interface PythonProgram {
  /** The words of its interpreter; "{python}" is the Python of the job's environment, or of the node. */
  readonly interpreter: readonly string[];
  /** The file that is started, relative to the project's root, or the module. */
  readonly entry: Readonly<{ kind: "file"; path: string }> | Readonly<{ kind: "module"; module: string }>;
}

/** Options of Python that take no value. */
const PLAIN_OPTION = /^-[bBdEiIOPqsSuv]+$/;

/** Returns the Python program that a job starts; undefined where it starts another one, or its file lies on the nodes. */
export function findPythonProgram(
  { program, args = [] }: ProgramLaunch,
  folders: LaunchFolders,
): PythonProgram | undefined {
  switch (program.kind) {
    case "module":
      return { interpreter: ["{python}"], entry: { kind: "module", module: program.module } };
    case "script": {
      const { prefix, script } = program;
      if (!prefix.some(isPython)) return undefined;
      return { interpreter: prefix, entry: { kind: "file", path: posix.join(folders.job, script.path) } };
    }
    case "command":
      return findInCommand([...program.command, ...args.map(readLiteral)], folders);
    case "nodeScript":
      return undefined;
    default:
      return program satisfies never;
  }
}

/** `python3 -u main.py`, `python3 -m tool`. */
function findInCommand(
  [first = "", ...words]: readonly (string | undefined)[],
  { cwd }: LaunchFolders,
): PythonProgram | undefined {
  if (!isPython(first)) return undefined;
  const at = words.findIndex((word) => word === undefined || !PLAIN_OPTION.test(word));
  const [word, next] = [words[at], words[at + 1]];
  const interpreter = [first];
  if (word === "-m" && next !== undefined) return { interpreter, entry: { kind: "module", module: next } };
  if (word?.endsWith(".py") !== true || word.startsWith("/")) return undefined;
  return { interpreter, entry: { kind: "file", path: posix.join(cwd, word) } };
}

/** Returns the text of an argument; undefined where it has placeholders. */
function readLiteral(argument: Template): string | undefined {
  return argument.every((piece) => typeof piece === "string") ? argument.join("") : undefined;
}

function isPython(word: string): boolean {
  return word === "{python}" || /^python[\d.]*$/.test(posix.basename(word));
}

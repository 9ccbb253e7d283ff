import { posix } from "node:path";
import { normalizePath } from "./inputs.js";
import type { ChunkSpec, Program, Template } from "./job.js";
import type { JobReader, KeyPath, SourceText } from "./reader.js";

/** Keys about the project, which a job whose programs run in a folder of the nodes does not have. */
const CODE_KEYS = ["project", "code", "cwd", "pythonpath", "build"];

/** Returns the folder of the nodes in which programs run, normalized; undefined = they run in working copies. */
export function readDirectory(reader: JobReader): string | undefined {
  const written = reader.text(["directory"]);
  if (written === undefined) return undefined;
  for (const key of CODE_KEYS) {
    if (!reader.has([key])) continue;
    const message = `${key}: directory is given as well, whose programs run in a folder that is on the nodes already`;
    reader.report(reader.source.positionOfKey([key]), message, `remove ${key} or directory`);
  }
  return posix.normalize(written).replace(/(?<=.)\/$/, "");
}

/** Returns the program of a script that is on the nodes; undefined, with a problem reported, if it is not in the directory. */
export function readNodeScript(reader: JobReader, { text, position }: SourceText, what: string): Program | undefined {
  const found = normalizePath(text);
  const message = !found.ok ? found.message : /(?:^\.?|\/)$/.test(found.path) ? "is a folder" : undefined;
  if (found.ok && message === undefined) {
    const prefix = found.path.endsWith(".py") ? ["{python}"] : [];
    return { kind: "nodeScript", path: found.path, prefix };
  }
  reader.report(position, `${what}: "${text}" ${message}`, "it is relative to directory, the folder on the nodes");
  return undefined;
}

/**
 * Returns the outputs that a program writes into the directory. The others lie below `{out}`: an argument names them there, or names a
 * folder above them, such as `{out}` itself. An output that is an argument of its own is always plain.
 */
export function findPlainOutputs({ args, outputs }: Pick<ChunkSpec, "args" | "outputs">): string[] {
  return outputs.filter(
    (output) => args.some((arg) => namesPath(arg, output)) || !args.some((arg) => namesBelowOut(arg, output)),
  );
}

/** Reports plain outputs of a job whose chunks all write the same: they share the directory. */
export function reportSharedOutputs(reader: JobReader, spec: ChunkSpec, directory: string): void {
  for (const output of findPlainOutputs(spec))
    reader.reportAt(
      ["outputs"],
      `outputs: "${output}" would be one file for all chunks, because they share ${directory}`,
      `have the program write it into the attempt's own folder: give it {out}/${output} in args`,
    );
}

/** Reports args that name an input as if it lay in the directory. */
export function reportPlainInputs(reader: JobReader, path: KeyPath, spec: Pick<ChunkSpec, "args" | "inputs">): void {
  for (const input of spec.inputs) {
    const index = spec.args.findIndex((arg) => namesPath(arg, input.path));
    if (index >= 0)
      reader.reportAt(
        [...path, reader.has([...path, "args"]) ? "args" : "inputs"],
        `args: "${input.path}" is one of inputs, which lie in {out}, not in directory`,
        `write {out}/${input.path}`,
      );
  }
}

/** Whether an argument is this path, or `--key=` and this path. */
function namesPath(arg: Template, path: string): boolean {
  const [text] = arg;
  return arg.length === 1 && typeof text === "string" && (text === path || text.endsWith(`=${path}`));
}

/** Whether an argument contains `{out}/PATH`, or `{out}` or a folder of it that the path lies in. */
function namesBelowOut(arg: Template, path: string): boolean {
  return arg.some((piece, index) => {
    if (typeof piece === "string" || piece.name !== "out") return false;
    const next = arg[index + 1] ?? "";
    if (typeof next !== "string") return false;
    const named = /^[^\s"'`;|&<>()]*/.exec(next)![0];
    const below = posix.normalize(named === "" ? "/" : named).replace(/\/$/, "");
    return `/${path}` === below || `/${path}`.startsWith(`${below}/`);
  });
}

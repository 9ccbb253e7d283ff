import { normalizePath } from "./inputs.js";
import type { JobReader, SourceText } from "./reader.js";

/** The names that muster uses in a run directory. */
const RESERVED_NAMES = [
  "job.yaml",
  "job.json",
  "journal.ndjson",
  "results",
  "logs",
  "results.ndjson",
  "summary.json",
  "lock",
];

/** Returns declared outputs as normalized paths and reports those that are invalid. */
export function readOutputs(reader: JobReader, written: SourceText[], what: string): string[] {
  const plain: string[] = [];
  for (const one of written) {
    const { text } = one;
    const path = normalizePath(text);
    const fault = path.ok ? findOutputFault(path.path) : path.message;
    const inside = /^\{out\}\//.test(text);
    if (inside)
      reader.report(
        one.position,
        `${what}: "${text}" is relative to {out} already`,
        `write ${text.slice("{out}/".length)}`,
      );
    else if (fault !== undefined) {
      reader.report(
        one.position,
        `${what}: "${text}" ${fault}`,
        "outputs are files below the working directory of the chunk",
      );
    } else if (path.ok && plain.includes(path.path)) reader.report(one.position, `${what}: "${text}" appears twice`);
    else if (path.ok) plain.push(path.path);
  }
  // A list that has grown has spare capacity, and each of a hundred thousand tasks has one.
  return plain.slice();
}

/** The outputs of a job and their writers: no two outputs may be one file, and none may be a parent folder of another. */
export class OutputRegistry {
  readonly #writers = new Map<string, string>();
  readonly #folders = new Map<string, string>();

  /** Registers the outputs of `writer` and reports conflicts at `place`. */
  register(reader: JobReader, writer: string, outputs: readonly string[], place: () => SourceText["position"]): void {
    for (const output of outputs) {
      const other = this.#writers.get(output);
      const inside = this.#folders.get(output);
      const folders = parentFolders(output);
      const around = folders.find((folder) => this.#writers.has(folder));
      if (other !== undefined) {
        reader.report(place(), `${writer} and ${other} both write "${output}"`, "give each its own output");
      } else if (inside !== undefined) {
        reader.report(place(), `${writer} writes the file "${output}", where ${inside} needs a folder`);
      } else if (around !== undefined) {
        reader.report(
          place(),
          `${writer} writes "${output}", but "${around}" is a file that ${this.#writers.get(around)} writes`,
        );
      }
      this.#writers.set(output, writer);
      for (const folder of folders) this.#folders.set(folder, writer);
    }
  }
}

/** Returns why `name` cannot be the aggregate's file in the run directory; undefined = it can. */
export function findAggregateFault(name: string): string | undefined {
  if (RESERVED_NAMES.includes(name)) return "is a file name that muster uses";
  if (name.includes("/")) return "must be a plain file name, without folders";
  if (!/^[A-Za-z0-9_][A-Za-z0-9._+=,@ -]*$/.test(name) || name.length > 200) return "is not a safe file name";
  return undefined;
}

/** Returns the folders that a relative path lies in, the outermost first. */
export function parentFolders(path: string): string[] {
  const folders: string[] = [];
  for (let end = path.indexOf("/"); end >= 0; end = path.indexOf("/", end + 1)) folders.push(path.slice(0, end));
  return folders;
}

function findOutputFault(path: string): string | undefined {
  if (path === "." || path === "./") return "is the working directory itself";
  if (path.endsWith("/")) return "is a folder";
  if (path.split("/").some((part) => Buffer.byteLength(part) > 255)) return "has a name longer than 255 bytes";
  return undefined;
}

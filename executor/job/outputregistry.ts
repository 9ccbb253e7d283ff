import type { JobReader, SourceText } from "./reader.js";

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
      if (other === writer) {
        reader.report(place(), `${writer} has two outputs "${output}"`, "give each its own name");
      } else if (other !== undefined) {
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

/** Returns the folders that a relative path lies in, the outermost first. */
export function parentFolders(path: string): string[] {
  const folders: string[] = [];
  for (let end = path.indexOf("/"); end >= 0; end = path.indexOf("/", end + 1)) folders.push(path.slice(0, end));
  return folders;
}

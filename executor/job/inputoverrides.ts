import { statSync } from "node:fs";
import { type FoundFiles, listFilesBelow, normalizePath } from "./inputs.js";

/**
 * Content that stands in for inputs of a job: path of the input -> where its content lies (absolute; a file or a folder), or
 * undefined where that is not known yet: then it counts as one file.
 */
export class InputOverrides {
  readonly #sources: ReadonlyMap<string, string | undefined>;
  readonly #used = new Set<string>();

  constructor(sources: ReadonlyMap<string, string | undefined> = new Map()) {
    this.#sources = sources;
  }

  /** What stands in for the input at `path`; undefined where that is what the job itself says. */
  find(path: string): FoundFiles | undefined {
    const plain = this.#sources.size === 0 ? undefined : normalizePath(path);
    if (!plain?.ok) return undefined;
    const key = plain.path.replace(/\/$/, "");
    if (!this.#sources.has(key)) return undefined;
    const source = this.#sources.get(key) ?? "";
    this.#used.add(key);
    const stat = source === "" ? undefined : statSync(source, { throwIfNoEntry: false });
    if (stat?.isDirectory()) return listFilesBelow(source, key);
    return { ok: true, files: [{ source, path: key, bytes: stat?.size }] };
  }

  /** The paths that are no inputs of the job. */
  listUnused(): string[] {
    return [...this.#sources.keys()].filter((path) => !this.#used.has(path));
  }
}

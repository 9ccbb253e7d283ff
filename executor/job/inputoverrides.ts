import { statSync } from "node:fs";
import { type FoundFiles, listFilesBelow, normalizePath } from "./inputs.js";

/**
 * Replaces inputs of a job: maps the path of an input to the absolute path of a file or folder with its content; undefined
 * if that is not known yet, which counts as one file.
 */
export class InputOverrides {
  readonly #sources: ReadonlyMap<string, string | undefined>;
  readonly #used = new Set<string>();

  constructor(sources: ReadonlyMap<string, string | undefined> = new Map()) {
    this.#sources = sources;
  }

  /** Returns the replacement of the input at `path`; undefined if the job's own file is used. */
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

  /** Returns the paths that the job does not use as inputs. */
  listUnused(): string[] {
    return [...this.#sources.keys()].filter((path) => !this.#used.has(path));
  }
}

import { statSync } from "node:fs";
import { posix } from "node:path";
import { type FoundFiles, listFilesBelow, normalizePath } from "./inputs.js";
import type { StagedFile } from "./job.js";

/** A file or folder that takes the place of an input, or of a part of it: its path in the job, and its absolute source. */
export interface InputPart {
  path: string;
  source: string;
}

/**
 * Replaces inputs of a job: maps the path of an input to the files and folders with its content; undefined if they are not known yet,
 * which counts as one file.
 */
export class InputOverrides {
  readonly #parts: ReadonlyMap<string, readonly InputPart[] | undefined>;
  readonly #mayAppear: (path: string) => boolean;
  readonly #used = new Set<string>();

  /** `mayAppear`: whether a missing input of this path may be there once the job begins. */
  constructor(
    parts: ReadonlyMap<string, readonly InputPart[] | undefined> = new Map(),
    mayAppear: (path: string) => boolean = () => false,
  ) {
    this.#parts = parts;
    this.#mayAppear = mayAppear;
  }

  /** Returns the replacement of the input at `path`; undefined if the job's own file is used. */
  find(path: string): FoundFiles | undefined {
    const plain = this.#parts.size === 0 ? undefined : normalizePath(path);
    if (!plain?.ok) return undefined;
    const key = plain.path.replace(/\/$/, "");
    if (!this.#parts.has(key)) return undefined;
    this.#used.add(key);
    const parts = this.#parts.get(key);
    if (parts === undefined) return { ok: true, files: [createUnknownFile(key)] };
    const files: StagedFile[] = [];
    for (const part of parts) {
      const found = listPart(part);
      if (!found.ok) return found;
      files.push(...found.files);
    }
    return { ok: true, files };
  }

  /** Returns what stands for a missing input until the job begins; undefined if it must be there now. */
  expect(path: string): FoundFiles | undefined {
    if (!this.#mayAppear(path)) return undefined;
    return { ok: true, files: [createUnknownFile(posix.normalize(path).replace(/\/$/, ""))] };
  }

  /** Returns the replacements that are known, by the path of the input. */
  listParts(): [path: string, parts: readonly InputPart[]][] {
    return [...this.#parts].flatMap(([path, parts]) => (parts === undefined ? [] : [[path, parts]]));
  }

  /** Returns the paths that the job does not use as inputs. */
  listUnused(): string[] {
    return [...this.#parts.keys()].filter((path) => !this.#used.has(path));
  }
}

/** Returns a file whose content is not known yet. */
function createUnknownFile(path: string): StagedFile {
  return { source: "", path };
}

function listPart({ path, source }: InputPart): FoundFiles {
  const stat = statSync(source, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return listFilesBelow(source, path);
  return { ok: true, files: [{ source, path, bytes: stat?.size }] };
}

import { existsSync, readdirSync } from "node:fs";
import { join, posix } from "node:path";
import picomatch from "picomatch";
import { findNearest, suggest } from "../../../schemas/suggest.js";
import { normalizePath } from "../inputs.js";
import { ProjectRefusal } from "./refusal.js";

/** One entry of `code`: a file, a folder, or a glob of either. */
interface CodePattern {
  readonly written: string;
  /** The folder that everything it can match lies in; "" = the root. */
  readonly base: string;
  matches(path: string): boolean;
}

/** Selects the paths of a project that may be copied to nodes, as the job says. Paths are relative to the root. */
export class ProjectScope {
  private constructor(
    private readonly root: string,
    private readonly code: readonly CodePattern[] | undefined,
    private readonly exclude: ReadonlySet<string>,
  ) {}

  /** `root` has no links in it. `exclude`: files and folders, relative to it. */
  static create(root: string, code: readonly string[] | undefined, exclude: ReadonlySet<string>): ProjectScope {
    return new ProjectScope(root, code?.map(parsePattern), exclude);
  }

  /** Returns whether the file at `path` may be copied. */
  includes(path: string): boolean {
    return !this.isExcluded(path) && (this.code === undefined || this.code.some((one) => one.matches(path)));
  }

  /** Returns whether anything in `folder` may be copied; "" is the root. */
  includesBelow(folder: string): boolean {
    if (folder === "") return true;
    if (this.isExcluded(folder)) return false;
    return (
      this.code === undefined || this.code.some(({ base }) => isAtOrBelow(base, folder) || isAtOrBelow(folder, base))
    );
  }

  /** Throws a ProjectRefusal that names the first entry of `code` that matches none of `paths`. */
  rejectUnmatched(paths: readonly string[]): void {
    const unmatched = this.code?.find((pattern) => !paths.some((path) => pattern.matches(path)));
    if (unmatched === undefined) return;
    const { written, base } = unmatched;
    const isThere = existsSync(join(this.root, written));
    throw new ProjectRefusal(
      isThere
        ? `code: nothing in "${written}" belongs to the project ${this.root}`
        : `code: "${written}" matches no file of the project ${this.root}`,
      isThere
        ? "ignored files and results are not copied to nodes; add what the program needs to `inputs`"
        : suggestPath(this.root, /[*?[{(]/.test(written) && base !== written ? base : written),
    );
  }

  private isExcluded(path: string): boolean {
    return this.exclude.size > 0 && listPrefixes(path).some((one) => this.exclude.has(one));
  }
}

function parsePattern(written: string): CodePattern {
  const plain = normalizePath(written.replace(/\/+$/, "") || written);
  if (!plain.ok)
    throw new ProjectRefusal(
      `code: "${written}" ${plain.message}`,
      "write a file, a folder or a glob relative to the root of the project",
    );
  const { path } = plain;
  if (path === ".") return { written, base: "", matches: () => true };
  const { isGlob, base } = picomatch.scan(path);
  if (!isGlob) return { written, base: path, matches: (file) => isAtOrBelow(file, path) };
  const isMatch = picomatch(path, { dot: true, nonegate: true });
  // A name may hold brackets, and a glob may match a folder, which stands for all that is in it.
  return {
    written,
    base,
    matches: (file) => isAtOrBelow(file, path) || listPrefixes(file).some((one) => isMatch(one)),
  };
}

/** Returns a path and the folders that it lies in, from the outermost: `a`, `a/b`, `a/b/c`. */
function listPrefixes(path: string): string[] {
  const ends = [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index));
  return [...ends, path];
}

function isAtOrBelow(path: string, folder: string): boolean {
  return folder === "" || path === folder || (path.startsWith(folder) && path[folder.length] === "/");
}

/** Suggests a name for the first part of `path` that does not exist. */
function suggestPath(root: string, path: string): string {
  let folder = "";
  for (const name of path.split("/")) {
    const inner = posix.join(folder, name);
    if (existsSync(join(root, inner))) {
      folder = inner;
      continue;
    }
    const names = listNames(join(root, folder));
    if (names === undefined) return `${join(root, folder)} is no folder that can be read`;
    const near = findNearest(name, names);
    if (near !== undefined) return `did you mean "${posix.join(folder, near)}"?`;
    return suggest(name, names) ?? `${join(root, folder)} is empty`;
  }
  return "check the pattern; ignored files do not count";
}

function listNames(folder: string): string[] | undefined {
  try {
    return readdirSync(folder);
  } catch {
    return undefined;
  }
}

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join, relative, resolve } from "node:path";
import { isBelow } from "../executor/job/inputs.js";
import { canBeProject, findProjectRoot } from "../executor/job/project/projectroot.js";
import { UsageError } from "../schemas/errors.js";

/** The name of the job file in the run directory. */
export const MAP_FILE = "map.yaml";
const MAX_RUNS = 10_000;

/** Where a command is mapped: the current folder, its project, and the files in it. All paths are absolute. */
export class MapFolders {
  private constructor(
    readonly cwd: string,
    readonly root: string,
  ) {}

  /** Throws UsageError where a folder cannot be sent to nodes. */
  static find(cwd: string): MapFolders {
    const home = homedir();
    if (canBeProject(cwd, home)) return new MapFolders(cwd, findProjectRoot(cwd, home));
    throw new UsageError(
      `map: ${cwd} holds more than a program: its files would be copied to the nodes`,
      "Make a folder for the program and its data, and run muster there.",
    );
  }

  /** Returns the program's path where the first word of a command is a file of the project; undefined = a command of the node. */
  findScript(word: string): string | undefined {
    const path = resolve(this.cwd, word);
    if (isFile(path) && isBelow(this.root, path)) return path;
    if (word.includes("/") && !word.startsWith("/") && !/[\s{]/.test(word))
      throw new UsageError(
        `map: ${word} is ${existsSync(path) ? `not a file of the project ${this.root}` : "no file"}`,
        "Name a file of the project, or a program that the nodes have.",
      );
    return undefined;
  }

  /** Whether a word names a file that is copied to the nodes, one that is not since it lies elsewhere, or none. */
  classify(word: string): "in project" | "elsewhere" | "no file" {
    const path = resolve(this.cwd, word);
    if (word === "" || word.includes("\0") || !isFile(path)) return "no file";
    return isBelow(this.root, path) && !word.startsWith("/") ? "in project" : "elsewhere";
  }

  /**
   * Returns the run directory of a job: `out`, else the first of runs/NAME, runs/NAME-2, ... that is free (nothing has run there), or, without
   * `isFresh`, has the same job. `format`: makes the job file for a run directory. Throws UsageError where `out` is used by another run, or lies
   * elsewhere.
   */
  chooseRun(out: string | undefined, name: string, isFresh: boolean, format: (path: string) => string): string {
    const isFree = (path: string) => !existsSync(path) || readdirSync(path).every((entry) => entry === MAP_FILE);
    const isUsable = (path: string) => isFree(path) || (!isFresh && isSameJob(join(path, MAP_FILE), format(path)));
    if (out !== undefined) {
      const path = resolve(this.cwd, out);
      if (!isBelow(this.root, path)) throw new UsageError(`map: --out ${out} is not in the project ${this.root}`);
      if (isUsable(path)) return path;
      throw new UsageError(`map: --out ${out} exists, and is not a run of this command`, "Name another folder.");
    }
    const base = join(this.cwd, "runs", name);
    for (let n = 1; n < MAX_RUNS; n++) {
      const path = n === 1 ? base : `${base}-${n}`;
      if (isUsable(path)) return path;
    }
    throw new UsageError(`map: there are too many runs ${base}-N`, "Remove some, or choose a --name.");
  }

  /** Returns the keys of a job file in the folder `path` that make its programs start in the current folder. */
  describeProject(path: string): { project: string; cwd: string } {
    return { project: relative(path, this.root), cwd: relative(this.root, this.cwd) || "." };
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** Whether a file has the same job: comments aside. */
function isSameJob(file: string, text: string): boolean {
  if (!existsSync(file)) return false;
  const job = (one: string) => one.split("\n").filter((line) => !line.startsWith("#"));
  return job(readFileSync(file, "utf8")).join("\n") === job(text).join("\n");
}

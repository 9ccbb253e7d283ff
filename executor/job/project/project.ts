import { posix } from "node:path";
import type { LeftOutFile, ProjectFile } from "./projectfiles.js";

/** The files that go along with a job, and where its programs start. All paths but `root` are relative to the project's root. */
export interface Project {
  /** Absolute. */
  readonly root: string;
  readonly files: readonly ProjectFile[];
  readonly leftOut: readonly LeftOutFile[];
}

/** Where the programs of a job start in their working copy. All paths are relative to its top; "." is the top itself. */
export interface LaunchFolders {
  /** Of the job file: staged files lie at their paths relative to it. */
  readonly job: string;
  readonly cwd: string;
  /** Folders that PYTHONPATH begins with. */
  readonly pythonPath: readonly string[];
}

/** The folders of a job without a project: everything is relative to the top of the working copy. */
export const NO_PROJECT_FOLDERS: LaunchFolders = { job: ".", cwd: ".", pythonPath: [] };

/** Returns where a file of a job lies in a working copy. `path`: relative to the job file. */
export function pathInCopy({ folders }: { folders: LaunchFolders }, path: string): string {
  return posix.join(folders.job, path);
}

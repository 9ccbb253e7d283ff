/** A file or a symbolic link of a project. */
export interface ProjectFile {
  /** Relative to the root, with POSIX separators. */
  readonly path: string;
  /** 0o644, or 0o755 if its owner may execute it; 0o120000 for a link. */
  readonly mode: number;
  /** Of a link: the length of its target. */
  readonly sizeBytes: number;
  /** Whole seconds since 1970. */
  readonly mtimeSeconds: number;
  /** Of a symbolic link, relative to the link's folder. It stays inside the project, but may be missing. */
  readonly target?: string;
}

/** A file or a run directory that is not copied to nodes. */
export interface LeftOutFile {
  readonly path: string;
  readonly why: "env file" | "over 4 MB" | "run directory" | "leads out of the project";
  readonly sizeBytes?: number;
}

/** The files of a job that are copied to nodes, and where its programs start. All paths but `root` are relative to the project's root. */
export interface Project {
  /** Absolute. */
  readonly root: string;
  readonly files: readonly ProjectFile[];
  readonly leftOut: readonly LeftOutFile[];
  /** What the job narrows it down with: a list in `code`, or `code: imports`. */
  readonly narrowedBy?: "code" | "imports";
}

/** Where the programs of a job start in their working copy. All paths are relative to its top; "." is the top itself. */
export interface LaunchFolders {
  /** The folder of the job: paths of staged files are relative to it. */
  readonly job: string;
  readonly cwd: string;
  /** Folders that PYTHONPATH begins with. */
  readonly pythonPath: readonly string[];
}

/** The folders of a job without a project: everything is relative to the top of the working copy. */
export const NO_PROJECT_FOLDERS: LaunchFolders = { job: ".", cwd: ".", pythonPath: [] };

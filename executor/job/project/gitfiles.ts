import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { isUtf8, REPLACEMENT_CHARACTER } from "./filename.js";
import { ProjectRefusal, refuseUnreadable } from "./refusal.js";

/** The output of git for ten million files. */
const MAX_OUTPUT_BYTES = 1 << 30;
/** Variables by which another git, which runs us as a hook, names its own repository. */
const REPOSITORY_VARIABLES = [
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_COMMON_DIR",
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_NAMESPACE",
  "GIT_PREFIX",
];

/** What git lists in a folder. Paths are relative to the folder. */
export interface GitListing {
  /** Tracked files, though they may be deleted, and untracked ones that are not ignored. */
  files: string[];
  /** Paths among `files` that are not UTF-8, as bytes. */
  badNames: Map<string, Buffer>;
  /** Other repositories: submodules and untracked ones. */
  repositories: string[];
  /** The `repositories` that .gitmodules names, so that git can check them out. */
  submodules: ReadonlySet<string>;
}

/** Returns the folder at or above `folder` that has `.git`; undefined if there is none. */
export function findWorkTree(folder: string): string | undefined {
  for (let current = folder; ; current = dirname(current)) {
    if (existsSync(join(current, ".git"))) return current;
    if (current === dirname(current)) return undefined;
  }
}

/**
 * Lists the files in `folder`, which lies in the work tree `workTree`. Returns undefined where git is not installed, does not take the
 * folder for a part of a work tree, or ignores all of it. Throws a ProjectRefusal where git refuses or cannot read something.
 */
export function listGitFiles(folder: string, workTree: string): GitListing | undefined {
  const args = ["ls-files", "-z", "-t", "--stage", "--cached", "--others", "--exclude-standard"];
  const { status, stdout, stderr, error } = runGit(folder, workTree, args);
  if ((error as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return undefined;
  if (error !== undefined) throw new ProjectRefusal(`${folder}: git ls-files: ${error.message}`, NEXT);
  if (status !== 0 && /not a git repository|must be run in a work tree/.test(stderr)) return undefined;
  const unreadable = /could not open directory '(.*)': Permission denied/.exec(stderr)?.[1];
  if (unreadable !== undefined) refuseUnreadable(join(workTree, unreadable), { code: "EACCES" });
  if (status !== 0) throw explainGitError(folder, stderr);
  const listing = parseListing(stdout, () => readSubmodules(folder, workTree));
  return stdout.length === 0 && isIgnored(folder, workTree) ? undefined : listing;
}

/** Returns whether git ignores `path`, relative to the folder `root`; undefined where git does not know the folder. */
export function isIgnoredByGit(root: string, path: string): boolean | undefined {
  const workTree = findWorkTree(root);
  if (workTree === undefined) return undefined;
  // Exit code 1: not ignored; 128: an error.
  const { status } = runGit(root, workTree, ["check-ignore", "-q", "--", path]);
  return status === 0 ? true : status === 1 ? false : undefined;
}

function isIgnored(folder: string, workTree: string): boolean {
  return folder !== workTree && runGit(folder, workTree, ["check-ignore", "-q", "."]).status === 0;
}

function runGit(folder: string, workTree: string, args: string[]) {
  const env: NodeJS.ProcessEnv = { ...process.env, LC_ALL: "C", GIT_OPTIONAL_LOCKS: "0" };
  for (const name of REPOSITORY_VARIABLES) delete env[name];
  // A `.git` that git does not accept must not lead it to a repository further up.
  env.GIT_CEILING_DIRECTORIES = dirname(workTree);
  // A monitor is a program that the repository names.
  const done = spawnSync("git", ["-c", "core.fsmonitor=false", ...args], {
    cwd: folder,
    env,
    maxBuffer: MAX_OUTPUT_BYTES,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { status: done.status, stdout: done.stdout, stderr: `${done.stderr ?? ""}`, error: done.error };
}

const NEXT = "run `git status` there; `project: none` does without a project";

function explainGitError(folder: string, stderr: string): ProjectRefusal {
  const owned = /detected dubious ownership in repository at '(.*)'/.exec(stderr)?.[1];
  if (owned !== undefined)
    return new ProjectRefusal(
      `${owned}: git refuses this repository, because it belongs to another user`,
      `if you trust it, run \`git config --global --add safe.directory ${owned}\``,
    );
  const lines = stderr.split("\n").filter((line) => line !== "");
  const last = lines.find((line) => line.startsWith("fatal:")) ?? lines.at(-1) ?? "no message";
  return new ProjectRefusal(`${folder}: git cannot list its files: ${last.replace(/^fatal: /, "")}`, NEXT);
}

/** Parses `TAG MODE OBJECT STAGE\tPATH` for tracked entries and `? PATH` for others, where a trailing slash marks a repository. */
function parseListing(stdout: Buffer, findSubmodules: () => ReadonlySet<string>): GitListing {
  const files = new Set<string>();
  const repositories = new Set<string>();
  for (const entry of stdout.toString("utf8").split("\0")) {
    if (entry === "") continue;
    const isTracked = !entry.startsWith("? ");
    const path = entry.slice(isTracked ? entry.indexOf("\t") + 1 : 2);
    if (!isTracked && path.endsWith("/")) repositories.add(path.slice(0, -1));
    else if (isTracked && entry.startsWith("160000 ", 2)) repositories.add(path);
    else files.add(path);
  }
  const submodules = repositories.size === 0 ? new Set<string>() : findSubmodules();
  return { files: [...files], badNames: findBadNames(stdout), repositories: [...repositories], submodules };
}

function findBadNames(stdout: Buffer): Map<string, Buffer> {
  const bad = new Map<string, Buffer>();
  if (!stdout.toString("utf8").includes(REPLACEMENT_CHARACTER)) return bad;
  for (let start = 0; start < stdout.length; ) {
    const end = stdout.indexOf(0, start);
    const entry = stdout.subarray(start, end === -1 ? stdout.length : end);
    const path = entry.subarray(entry.toString("latin1", 0, 2) === "? " ? 2 : entry.indexOf("\t") + 1);
    if (!isUtf8(path)) bad.set(path.toString("utf8"), path);
    start += entry.length + 1;
  }
  return bad;
}

/** Returns the paths of .gitmodules, relative to `folder`. */
function readSubmodules(folder: string, workTree: string): ReadonlySet<string> {
  const file = join(workTree, ".gitmodules");
  if (!existsSync(file)) return new Set();
  const paths = readFileSync(file, "utf8").matchAll(/^\s*path\s*=\s*"?(.*?)"?\s*$/gm);
  return new Set([...paths].map(([, path]) => relative(folder, join(workTree, path!))));
}

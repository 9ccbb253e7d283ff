import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Test } from "tap";
import { listProject, type ProjectSelection } from "../../../../executor/job/project/projectfiles.js";

// The configuration of the user must not change what these tests see.
process.env.GIT_CONFIG_GLOBAL = "/dev/null";
process.env.GIT_CONFIG_NOSYSTEM = "1";

/** Why tests with real repositories cannot run here; undefined where they can. */
export const gitMissing =
  spawnSync("git", ["--version"]).status === 0 ? undefined : "git is not installed: apt-get install git";

/** Creates a folder outside of any repository, with files of these contents. It is removed after the test. */
export function createFolder(t: Test, files: Record<string, string>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "project-")));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  addFiles(folder, files);
  return folder;
}

export function addFiles(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** Creates a repository with these files, all committed. */
export function createRepository(t: Test, files: Record<string, string>): string {
  const folder = createFolder(t, files);
  commitAll(folder);
  return folder;
}

export function commitAll(folder: string): void {
  git(folder, "init", "-q");
  git(folder, "add", "-A");
  git(folder, "commit", "-q", "--allow-empty", "-m", "all");
}

/** Runs git and throws what it prints where it fails. */
export function git(folder: string, ...args: string[]): string {
  const options = [
    "user.name=test",
    "user.email=test@localhost",
    "protocol.file.allow=always",
    "advice.addEmbeddedRepo=false",
  ];
  const done = spawnSync("git", [...options.flatMap((one) => ["-c", one]), ...args], { cwd: folder, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`git ${args.join(" ")}: ${done.stderr}`);
  return done.stdout;
}

/** Lists a project that must be accepted. */
export function list(root: string, rest: Partial<ProjectSelection> = {}) {
  const listing = listProject({ root, exclude: new Set(), ...rest });
  if (!listing.ok) throw new Error(`${listing.message} (${listing.hint})`);
  return listing;
}

export function listPaths(root: string, rest: Partial<ProjectSelection> = {}): string[] {
  return list(root, rest).files.map(({ path }) => path);
}

/** Lists a project that must be refused. */
export function refuse(root: string, rest: Partial<ProjectSelection> = {}): { message: string; hint: string } {
  const listing = listProject({ root, exclude: new Set(), ...rest });
  if (listing.ok) throw new Error(`accepted: ${listing.files.map(({ path }) => path).join(" ")}`);
  return { message: listing.message, hint: listing.hint };
}

const LIST = `import { listProject } from ${JSON.stringify(
  new URL("../../../../executor/job/project/projectfiles.js", import.meta.url).href,
)};
console.log(JSON.stringify(listProject({ root: process.argv[1], exclude: new Set() })));`;

/** Lists a project as a user whom the modes of files bind, unlike root. Throws where root cannot give up its capabilities. */
export function listWithoutPrivileges(root: string): ReturnType<typeof listProject> {
  const unprivileged =
    process.getuid?.() === 0 ? ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"] : [];
  const [program, ...args] = [...unprivileged, process.execPath, "--input-type=module", "-e", LIST, root];
  const done = spawnSync(program!, args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(done.error?.message ?? done.stderr);
  return JSON.parse(done.stdout);
}

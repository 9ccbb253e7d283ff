import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../lab/project.js";
import { type MusterResult, waitForExit } from "./startmuster.js";

/** What may lie where a file or folder is expected. Each puts it at `path`, which does not exist yet, and returns the path to use. */
export const ODDITIES: Record<string, (path: string) => string> = {
  "a link to itself": (path) => {
    symlinkSync(path, path);
    return path;
  },
  "a dangling link": (path) => {
    symlinkSync("nowhere", path);
    return path;
  },
  "an empty folder": (path) => {
    mkdirSync(path);
    return path;
  },
  "a path below a file": (path) => {
    writeFileSync(path, "x\n");
    return join(path, "below");
  },
  "a name of 300 bytes": (path) => `${path}${"l".repeat(300)}`,
  "a file without permission": (path) => {
    writeFileSync(path, "x: 1\n");
    chmodSync(path, 0);
    return path;
  },
  "a path below a folder without permission": (path) => {
    mkdirSync(path);
    chmodSync(path, 0);
    return join(path, "below");
  },
  "a named pipe": (path) => {
    execFileSync("mkfifo", [path]);
    return path;
  },
};

const JOB = { name: "j", kind: "matrix", matrix: { n: [0, 2] }, script: "s.sh", args: ["{n}"], outputs: ["r.txt"] };

/** Writes a job of two chunks into a folder, with these keys in addition. */
export function writeJob(folder: string, keys: Record<string, unknown> = {}): void {
  writeFileSync(join(folder, "s.sh"), "#!/bin/sh\necho $1 >r.txt\n", { mode: 0o755 });
  writeFileSync(join(folder, "job.yaml"), JSON.stringify({ ...JOB, ...keys }));
}

/** Writes an inventory of one node, whose port nothing listens at, with these keys of the node in addition. */
export function writeInventory(folder: string, keys: Record<string, unknown> = {}): void {
  writeFileSync(join(folder, "i.yaml"), JSON.stringify({ nodes: { rig: { host: "127.0.0.1", port: 1, ...keys } } }));
}

/** Starts the shell script `script` in a folder, with muster as "$@", without the powers of root over files. */
export function startPowerless(folder: string, script: string, words: string[], env: NodeJS.ProcessEnv): ChildProcess {
  const muster = [process.execPath, join(projectRoot(), "dist/bundle/cli/main.js"), ...words];
  const shell = ["/bin/sh", "-c", script, "sh", ...muster];
  const powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", ...shell];
  const [program = "", ...args] = process.getuid?.() === 0 ? powerless : shell;
  return spawn(program, args, { cwd: folder, env: { ...process.env, MUSTER_INVENTORY: "", ...env }, timeout: 60_000 });
}

/** Runs muster in a folder without the powers of root over files. */
export function runPowerless(folder: string, words: string[], env: NodeJS.ProcessEnv = {}): Promise<MusterResult> {
  return waitForExit(startPowerless(folder, 'exec "$@"', words, env));
}

/** Returns what is wrong with the end of a command; undefined if it is one for a user. */
export function findFault({ code, out, err }: MusterResult): string | undefined {
  const said = `${out}${err}`;
  if (code === null) return `it did not end:\n${said}`;
  if (code === 1 || /\bbug\b|\n\s+at .*:\d+/.test(said)) return `exit ${code}:\n${said}`;
  if (/\bE[A-Z]{4,}\b: /.test(said)) return `a text of Node.js:\n${said}`;
  return code !== 0 && said.trim() === "" ? `exit ${code} without a word` : undefined;
}

/** Gives a folder back the permissions that its removal needs. */
export function removeFolder(folder: string): void {
  execFileSync("chmod", ["-R", "u+rwX", folder]);
  rmSync(folder, { recursive: true, force: true });
}

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Process {
  pid: number;
  parent: number;
  /** Words of the command line; `[name]` for what has none left. */
  argv: string[];
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise; // the process ended meanwhile, or is not ours to read
  }
}

function pids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function parentOf(pid: number): number {
  const stat = readOr(`/proc/${pid}/stat`, "");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
}

function readProcess(pid: number): Process {
  const argv = readOr(`/proc/${pid}/cmdline`, "").split("\0").slice(0, -1);
  if (argv.length === 0) argv.push(`[${readOr(`/proc/${pid}/comm`, "?").trim()}]`);
  return { pid, parent: parentOf(pid), argv };
}

/** A process and its children. */
export function listFamily(pid: number): Process[] {
  const children = readOr(`/proc/${pid}/task/${pid}/children`, "").split(" ").filter(Boolean).map(Number);
  return [pid, ...children].map(readProcess);
}

/** Every process in the pid namespace of `init`, without `init` itself. Zombies count. */
export function listNamespace(init: number): Process[] {
  const space = namespaceOf(init);
  if (space === undefined) return [];
  return pids()
    .filter((pid) => pid !== init && namespaceOf(pid) === space)
    .map(readProcess);
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

/** Every process whose environment holds `mark` (NAME=value), which children inherit. */
export function findMarked(mark: string): Process[] {
  return pids()
    .filter((pid) => readOr(`/proc/${pid}/environ`, "").split("\0").includes(mark))
    .map(readProcess);
}

/** Every process that descends from `root`, without it: sshd lets nobody but root read the environment of its own. */
export function listDescendants(root: number): Process[] {
  const all = pids().map(readProcess);
  const found = [root];
  for (const parent of found) found.push(...all.filter((one) => one.parent === parent).map(({ pid }) => pid));
  return all.filter(({ pid }) => pid !== root && found.includes(pid));
}

/** Kills every process that carries `mark`; a few rounds, since they may be forking. */
export function killMarked(mark: string): void {
  for (let round = 0; round < 10; round++) {
    const found = findMarked(mark);
    if (found.length === 0) return;
    for (const { pid } of found) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // ended meanwhile
      }
    }
  }
}

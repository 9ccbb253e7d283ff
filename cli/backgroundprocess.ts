import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import type { Writers } from "../report/writers.js";
import { describeUser, planLogoutSurvival } from "./loginsession.js";

/** A run that goes on in the background. `log`: the file with everything that it prints. */
export interface DetachedRun {
  path: string;
  log: string;
  pid: number;
}

/** What the process in the background tells the one that started it. */
export type BackgroundMessage =
  | { type: "printed"; stream: keyof Writers; text: string }
  | { type: "attached"; run: DetachedRun };

/** `ended`: it ended before a node was attached, with this exit status; what it printed was printed. */
export type BackgroundResult =
  | { state: "running"; run: DetachedRun; note?: string | undefined }
  | { state: "ended"; exit: number };

/** How a run is started in the background. */
export interface BackgroundStart {
  /** The words after `muster run`. */
  arguments: readonly string[];
  cwd: string;
  as: "new" | "resumed";
  /** A path on the file system of the run directory; it need not exist. */
  beside: string;
  /** Interrupts the run while it starts. */
  signal: AbortSignal;
}

/**
 * Starts `muster run` in a session of its own, which survives the end of this process and of its terminal, with stdout and stderr in a log
 * file. Prints what it prints until a node is attached; by then it has moved its log into the run directory. Rejects with the system's
 * error where the log cannot be written, or the program not be started.
 */
export async function startInBackground(start: BackgroundStart, writers: Writers): Promise<BackgroundResult> {
  const survival = planLogoutSurvival(describeUser(process.env));
  const log = join(findExisting(start.beside), `.muster-${randomBytes(6).toString("hex")}.log`);
  const fd = openSync(log, "ax", 0o600);
  try {
    const muster = [process.execPath, ...process.execArgv, process.argv[1]!, "run", "--background", start.as];
    const [program, ...words] = [...survival.prefix, ...muster, ...start.arguments];
    const child = spawn(program!, words, {
      cwd: start.cwd,
      env: { ...process.env, ...survival.env },
      detached: true,
      stdio: ["ignore", fd, fd, "ipc"],
    });
    const result = await awaitStart(child, start.signal, writers, () => readIfThere(log));
    if (result.state === "running") return { ...result, note: survival.note };
    rmSync(log, { force: true });
    return result;
  } catch (error) {
    rmSync(log, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Resolves when the run is attached to a node, or has ended. */
async function awaitStart(
  child: ChildProcess,
  signal: AbortSignal,
  writers: Writers,
  readLog: () => string,
): Promise<BackgroundResult> {
  const interrupt = () => void child.kill("SIGINT");
  let [hasPrinted, isAttached] = [false, false];
  const attached = new Promise<BackgroundResult>((resolve) => {
    child.on("message", (message: BackgroundMessage) => {
      if (message.type === "printed") {
        hasPrinted = true;
        return writers[message.stream](message.text);
      }
      isAttached = true;
      resolve({ state: "running", run: message.run });
    });
  });
  // The last message precedes `disconnect`.
  const ended = Promise.all([once(child, "exit"), once(child, "disconnect")]).then(([[code, killedBy]]) => {
    if (killedBy !== null && !isAttached) writers.err(`the run was ended by ${killedBy} while it started`);
    // What a crash printed is in the log alone.
    const text = isAttached || (hasPrinted && killedBy === null) ? "" : readLog().trimEnd();
    if (text !== "") writers.err(text);
    const exit: number = code ?? 128 + constants.signals[killedBy as NodeJS.Signals];
    return { state: "ended", exit } as const;
  });
  signal.addEventListener("abort", interrupt);
  if (signal.aborted) interrupt();
  try {
    return await Promise.race([attached, ended]);
  } finally {
    signal.removeEventListener("abort", interrupt);
    child.unref();
  }
}

/** Returns what a run has printed that has not moved its log. */
function readIfThere(log: string): string {
  return existsSync(log) ? readFileSync(log, "utf8") : "";
}

/** Returns the nearest folder that exists. */
function findExisting(path: string): string {
  return existsSync(path) ? path : findExisting(dirname(path));
}

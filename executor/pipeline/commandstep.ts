import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { renderTemplate } from "../job/template.js";
import { tryLockFile } from "../run/record/filelock.js";
import type { StepAction, StepInput } from "./pipeline.js";

type CommandAction = Extract<StepAction, { kind: "command" }>;

/** Seconds between TERM and KILL. */
const GRACE_SECONDS = 5;
/** Bytes of stderr that a failure repeats. */
const STDERR_TAIL_BYTES = 2000;

/** Where a command runs, and what its placeholders stand for. */
export interface CommandContext {
  /** Working directory: the pipeline file's folder. */
  cwd: string;
  /** The step's own folder; `{in}` and `{out}` lie in it. */
  folder: string;
  /** What it takes: the path under `{in}`, and where that lies now. */
  inputs: { path: string; source: string }[];
  stop: AbortSignal;
}

/** Why a command is not complete; undefined when it is. */
export type CommandFailure = { kind: "failed"; reason: string } | { kind: "interrupted" } | undefined;

/**
 * Runs a command here, in a process group of its own that is gone when this resolves. It is complete when it exits 0 and all of
 * its outputs exist. What it prints goes to logs/command.out and logs/command.err of the step's folder. Nothing of an earlier try
 * is left when it begins.
 */
export async function runCommand(work: CommandAction, setting: CommandContext): Promise<CommandFailure> {
  const { folder } = setting;
  const lock = openSync(join(folder, "command.lock"), "a+");
  try {
    if (!(await lockAfterEarlierAttempt(lock, setting.stop))) return { kind: "interrupted" };
    return await attemptCommand(work, setting, lock);
  } finally {
    closeSync(lock);
  }
}

/** Ends what is left of a command in a step's folder, where there was one. */
export async function killLeftoverCommand(folder: string): Promise<void> {
  const file = join(folder, "command.lock");
  if (!existsSync(file)) return;
  const lock = openSync(file, "a+");
  try {
    await lockAfterEarlierAttempt(lock, new AbortController().signal);
  } finally {
    closeSync(lock);
  }
}

/** `lock`: held by every process of the command, for as long as one of them lives. */
async function attemptCommand(work: CommandAction, setting: CommandContext, lock: number): Promise<CommandFailure> {
  const { folder, inputs } = setting;
  for (const name of ["in", "results", "logs"]) rmSync(join(folder, name), { recursive: true, force: true });
  for (const name of ["in", "results", "logs"]) mkdirSync(join(folder, name), { recursive: true });
  for (const output of work.outputs) mkdirSync(dirname(join(folder, "results", output)), { recursive: true });
  for (const { path, source } of inputs) {
    mkdirSync(dirname(join(folder, "in", path)), { recursive: true });
    symlinkSync(source, join(folder, "in", path));
  }
  const fault = await spawnAndWait(work, setting, lock);
  if (fault !== undefined) return fault;
  const missing = work.outputs.find((output) => !isFile(join(folder, "results", output)));
  return missing === undefined ? undefined : { kind: "failed", reason: `it did not write {out}/${missing}` };
}

/** The words of a command with its folders put in. */
export function renderArguments(work: CommandAction, folder: string): string[] {
  const values = { in: join(folder, "in"), out: join(folder, "results") };
  return work.argv.map((word) => renderTemplate(word, values));
}

/** The inputs of a step, as they lie in the run directory `path` now. */
export function locateInputs(feeds: StepInput[], path: string): { path: string; source: string }[] {
  return feeds.map((feed) => ({ path: feed.path, source: join(path, feed.step, feed.from) }));
}

async function spawnAndWait(
  work: CommandAction,
  { cwd, folder, stop }: CommandContext,
  lock: number,
): Promise<CommandFailure> {
  const [program = "", ...args] = renderArguments(work, folder);
  const [out, err] = ["out", "err"].map((name) => openSync(join(folder, "logs", `command.${name}`), "w+")) as [
    number,
    number,
  ];
  let ended: "timeout" | "stop" | undefined;
  try {
    const child = spawn(program, args, { cwd, detached: true, stdio: ["ignore", out, err, lock] });
    recordProcess(lock, child.pid);
    const exit = new Promise<string | undefined>((resolve) => {
      child.on("error", (error: NodeJS.ErrnoException) =>
        resolve(error.code === "ENOENT" ? `there is no program ${program}` : error.message),
      );
      child.on("exit", (code, signal) =>
        resolve(code === 0 ? undefined : code === null ? `ended by ${signal}` : `exit code ${code}`),
      );
    });
    const end = (why: "timeout" | "stop") => {
      ended ??= why;
      killGroup(child.pid, "SIGTERM");
      setTimeout(() => killGroup(child.pid, "SIGKILL"), GRACE_SECONDS * 1000).unref();
    };
    const onStop = () => end("stop");
    stop.addEventListener("abort", onStop);
    if (stop.aborted) onStop();
    const timer =
      work.timeoutSeconds === undefined ? undefined : setTimeout(() => end("timeout"), work.timeoutSeconds * 1000);
    const reason = await exit;
    clearTimeout(timer);
    stop.removeEventListener("abort", onStop);
    killGroup(child.pid, "SIGKILL");
    if (ended === "stop") return { kind: "interrupted" };
    if (ended === "timeout") return { kind: "failed", reason: `it ran longer than ${work.timeoutSeconds} s` };
    return reason === undefined ? undefined : { kind: "failed", reason: appendStderrTail(reason, err) };
  } finally {
    closeSync(out);
    closeSync(err);
  }
}

/** Takes the lock, once nothing of an earlier try is left whose coordinator was killed. False where that is not waited for. */
async function lockAfterEarlierAttempt(lock: number, stop: AbortSignal): Promise<boolean> {
  for (let signal: NodeJS.Signals = "SIGTERM"; !tryLockFile(lock); signal = "SIGKILL") {
    if (stop.aborted) return false;
    const bytes = Buffer.alloc(100);
    const [pid, start] = bytes.toString("utf8", 0, readSync(lock, bytes, 0, 100, 0)).split(" ");
    if (start !== undefined && start === readStartTime(Number(pid))) killGroup(Number(pid), signal);
    await sleep(500);
  }
  return true;
}

function recordProcess(lock: number, pid: number | undefined): void {
  ftruncateSync(lock, 0);
  if (pid !== undefined) writeSync(lock, `${pid} ${readStartTime(pid)}`);
}

/** When a process began, in the kernel's clock: a pid alone may be another's by now. */
function readStartTime(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")[19];
  } catch {
    return undefined;
  }
}

/** Ends what is left of a process group; none is left after an orderly end. */
function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has gone.
  }
}

function appendStderrTail(reason: string, fd: number): string {
  const { size } = fstatSync(fd);
  const bytes = Buffer.alloc(Math.min(STDERR_TAIL_BYTES, size));
  const read = readSync(fd, bytes, 0, bytes.length, size - bytes.length);
  const text = bytes.toString("utf8", 0, read).trimEnd();
  return text === "" ? reason : `${reason}\n${text.split("\n").slice(-5).join("\n")}`;
}

function isFile(path: string): boolean {
  return existsSync(path) && lstatSync(path).isFile();
}

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
import { killGroup } from "../../fleet/killgroup.js";
import { renderTemplate } from "../job/template.js";
import { failpoint } from "../run/failpoint.js";
import { tryLockFile } from "../run/record/filelock.js";
import type { LocatedInput } from "./locateinputs.js";
import { findLockHolders } from "./lockholders.js";
import type { StepAction } from "./pipeline.js";

type CommandAction = Extract<StepAction, { kind: "command" }>;

/** The time between SIGTERM and SIGKILL. */
const GRACE_SECONDS = 5;
/** The length of the end of stderr that a failure quotes. */
const STDERR_TAIL_BYTES = 2000;

/** Where a command runs, and what its placeholders refer to. */
export interface CommandContext {
  /** The working directory: the folder of the pipeline file. */
  cwd: string;
  /** The step's own folder, which contains `{in}` and `{out}`. */
  folder: string;
  /** The inputs: paths under `{in}`, and the files and folders that they link to. */
  inputs: LocatedInput[];
  stop: AbortSignal;
}

/** The result of a command. */
export type CommandStepResult = { state: "complete" } | { state: "interrupted" } | { state: "failed"; reason: string };

/**
 * Runs a command on this machine in a process group of its own. The group is gone when this resolves. The command is complete when
 * it exits with 0 and all of its outputs exist. What it prints goes to logs/command.out and logs/command.err in the step's folder.
 * Files of an earlier attempt are removed first.
 */
export async function runCommand(action: CommandAction, context: CommandContext): Promise<CommandStepResult> {
  const { folder } = context;
  const lock = openSync(join(folder, "command.lock"), "a+");
  try {
    if (!(await lockAfterEarlierAttempt(lock, context.stop))) return { state: "interrupted" };
    return await attemptCommand(action, context, lock);
  } finally {
    closeSync(lock);
  }
}

/** Ends the processes of a command that an earlier coordinator has left running, if there are any. */
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

/** Every process of the command inherits `lock`, so the lock is held for as long as one of them lives. */
async function attemptCommand(
  action: CommandAction,
  context: CommandContext,
  lock: number,
): Promise<CommandStepResult> {
  const { folder, inputs } = context;
  for (const name of ["in", "results", "logs"]) rmSync(join(folder, name), { recursive: true, force: true });
  for (const name of ["in", "results", "logs"]) mkdirSync(join(folder, name), { recursive: true });
  for (const output of action.outputs) mkdirSync(dirname(join(folder, "results", output)), { recursive: true });
  for (const { path, parts } of inputs) {
    if (parts.length === 0) mkdirSync(join(folder, "in", path), { recursive: true });
    for (const part of parts) {
      mkdirSync(dirname(join(folder, "in", part.path)), { recursive: true });
      symlinkSync(part.source, join(folder, "in", part.path));
    }
  }
  const result = await spawnAndWait(action, context, lock);
  if (result.state !== "complete") return result;
  const missing = action.outputs.find((output) => !isFile(join(folder, "results", output)));
  return missing === undefined ? result : { state: "failed", reason: `it did not write {out}/${missing}` };
}

/** Returns the arguments of a command with `{in}` and `{out}` replaced. */
function renderArguments(action: CommandAction, folder: string): string[] {
  const values = { in: join(folder, "in"), out: join(folder, "results") };
  return action.argv.map((word) => renderTemplate(word, values));
}

async function spawnAndWait(
  action: CommandAction,
  { cwd, folder, stop }: CommandContext,
  lock: number,
): Promise<CommandStepResult> {
  const [program = "", ...args] = renderArguments(action, folder);
  const [out, err] = ["out", "err"].map((name) => openSync(join(folder, "logs", `command.${name}`), "w+")) as [
    number,
    number,
  ];
  let endedBy: "timeout" | "stop" | undefined;
  try {
    const child = spawn(program, args, { cwd, detached: true, stdio: ["ignore", out, err, lock] });
    failpoint("command-spawned");
    recordProcess(lock, child.pid);
    const failure = new Promise<string | undefined>((resolve) => {
      child.on("error", (error: NodeJS.ErrnoException) =>
        resolve(error.code === "ENOENT" ? `there is no program ${program}` : error.message),
      );
      child.on("exit", (code, signal) =>
        resolve(code === 0 ? undefined : code === null ? `ended by ${signal}` : `exit code ${code}`),
      );
    });
    const end = (cause: "timeout" | "stop") => {
      endedBy ??= cause;
      killGroup(child.pid, "SIGTERM");
      setTimeout(() => killGroup(child.pid, "SIGKILL"), GRACE_SECONDS * 1000).unref();
    };
    const onStop = () => end("stop");
    stop.addEventListener("abort", onStop);
    if (stop.aborted) onStop();
    const { timeoutSeconds } = action;
    const timer = timeoutSeconds === undefined ? undefined : setTimeout(() => end("timeout"), timeoutSeconds * 1000);
    const reason = await failure;
    clearTimeout(timer);
    stop.removeEventListener("abort", onStop);
    killGroup(child.pid, "SIGKILL");
    if (endedBy === "stop") return { state: "interrupted" };
    if (endedBy === "timeout") return { state: "failed", reason: `it ran longer than ${timeoutSeconds} s` };
    return reason === undefined ? { state: "complete" } : { state: "failed", reason: appendStderrTail(reason, err) };
  } finally {
    closeSync(out);
    closeSync(err);
  }
}

/** Ends an attempt whose coordinator was killed, and takes the lock when it is gone. Returns false where `stop` fires first. */
async function lockAfterEarlierAttempt(lock: number, stop: AbortSignal): Promise<boolean> {
  for (let signal: NodeJS.Signals = "SIGTERM"; !tryLockFile(lock); signal = "SIGKILL") {
    if (stop.aborted) return false;
    const bytes = Buffer.alloc(100);
    const [pid, start] = bytes.toString("utf8", 0, readSync(lock, bytes, 0, 100, 0)).split(" ");
    if (start !== undefined && start === readStartTime(Number(pid))) killGroup(Number(pid), signal);
    // The coordinator was killed before it could record the process, or only children of the recorded one are left.
    else for (const group of findLockHolders(lock)) killGroup(group, signal);
    await sleep(500);
  }
  return true;
}

function recordProcess(lock: number, pid: number | undefined): void {
  ftruncateSync(lock, 0);
  if (pid !== undefined) writeSync(lock, `${pid} ${readStartTime(pid)}`);
}

/** Returns when a process started, in clock ticks since boot. Together with the pid it identifies the process, since pids are reused. */
function readStartTime(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")[19];
  } catch {
    return undefined;
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

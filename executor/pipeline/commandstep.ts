import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { killGroup } from "../../fleet/killgroup.js";
import { renderTemplate } from "../job/template.js";
import { failpoint } from "../run/failpoint.js";
import { GroupLock } from "../run/grouplock.js";
import { describeSpawnError } from "../run/spawnerror.js";
import type { LocatedInput } from "./locateinputs.js";
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
  const lock = await GroupLock.take(lockFile(folder), context.stop);
  if (lock === undefined) return { state: "interrupted" };
  try {
    return await attemptCommand(action, context, lock);
  } finally {
    lock.close();
  }
}

/** Ends the processes of a command that an earlier coordinator has left running, if there are any. */
export async function killLeftoverCommand(folder: string): Promise<void> {
  if (!existsSync(lockFile(folder))) return;
  const lock = await GroupLock.take(lockFile(folder), new AbortController().signal);
  lock?.close();
}

function lockFile(folder: string): string {
  return join(folder, "command.lock");
}

/** Every process of the command inherits `lock`, so the lock is held for as long as one of them lives. */
async function attemptCommand(
  action: CommandAction,
  context: CommandContext,
  lock: GroupLock,
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
  lock: GroupLock,
): Promise<CommandStepResult> {
  const [program = "", ...args] = renderArguments(action, folder);
  const [out, err] = ["out", "err"].map((name) => openSync(join(folder, "logs", `command.${name}`), "w+")) as [
    number,
    number,
  ];
  let endedBy: "timeout" | "stop" | undefined;
  try {
    const child = spawn(program, args, {
      cwd,
      env: lock.environment,
      detached: true,
      stdio: ["ignore", out, err, lock.fd],
    });
    failpoint("command-spawned");
    lock.record(child.pid);
    const failure = new Promise<string | undefined>((resolve) => {
      child.on("error", (error) => resolve(describeSpawnError(error, program, cwd)));
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

import { spawn } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseEnvText } from "../../schemas/envtext.js";
import { InvalidFileError, MusterError } from "../../schemas/errors.js";
import { readTextFile } from "../../schemas/textfile.js";
import { killGroup } from "../killgroup.js";
import type { Node } from "../node.js";
import type { HealSettings } from "./healsettings.js";

/** A command that turns a machine off and on again. */
export interface PowerCycleCommand {
  argv: string[];
  /** The folder that it runs in. */
  folder: string;
  /** Variables in addition to those of this process; their values are secrets. */
  env: Record<string, string>;
  timeoutSeconds: number;
}

/** How much of what the command prints an error shows, in characters. */
const MAX_SHOWN_CHARS = 300;
/** How long to wait for the rest of what it printed. */
const LAST_OUTPUT_MS = 500;
/** Shorter values are no secrets, and would make the text unreadable. */
const MIN_SECRET_CHARS = 4;

/**
 * Returns the `power_cycle` command of a node, with placeholders and `~/` replaced. `folder`: that of the inventory. Throws COMMAND (69) where
 * the node has none, and SECRET (65) where its variables cannot be read.
 */
export function preparePowerCycle(node: Node, settings: HealSettings, folder: string): PowerCycleCommand {
  if (node.powerCycle === undefined)
    throw new MusterError("COMMAND", "it has no `power_cycle` command", { node: node.name });
  const argv = node.powerCycle.map((word) => {
    const text = word.replaceAll("{node}", node.name).replaceAll("{host}", node.host);
    return text.startsWith("~/") ? join(homedir(), text.slice(2)) : text;
  });
  const env = settings.envFile === undefined ? {} : readVariables(settings.envFile);
  return { argv, folder, env, timeoutSeconds: settings.commandSeconds };
}

function readVariables(file: string): Record<string, string> {
  let text: string;
  try {
    text = readTextFile(file);
  } catch (error) {
    if (!(error instanceof InvalidFileError)) throw error;
    throw new MusterError("SECRET", `env_file of heal: ${file}: ${error.problems[0]!.message}`);
  }
  const { env, faults } = parseEnvText(text);
  const [first] = faults;
  if (first === undefined) return env;
  throw new MusterError("SECRET", `env_file of heal: ${file}:${first.line}: ${first.fault}`, { next: first.hint });
}

/**
 * Runs the command, and kills it with its process group after its timeout, or when `stop` aborts. Rejects with COMMAND (69) where it cannot be
 * started, fails or takes longer; the message has the end of what it printed, without the values of its variables.
 */
export async function runPowerCycle(command: PowerCycleCommand, stop: AbortSignal): Promise<void> {
  const { argv, folder, env, timeoutSeconds } = command;
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    cwd: folder,
    detached: true,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  const keepEnd = (bytes: Buffer) => {
    printed = `${printed}${bytes}`.slice(-4 * MAX_SHOWN_CHARS);
  };
  child.stdout.on("data", keepEnd);
  child.stderr.on("data", keepEnd);
  const problem = await new Promise<string | undefined>((resolve) => {
    const end = (why: string | undefined) => {
      clearTimeout(timer);
      stop.removeEventListener("abort", interrupt);
      resolve(why);
    };
    const kill = (why: string) => {
      killGroup(child.pid, "SIGKILL");
      // What left its group may keep the streams open.
      child.stdout.destroy();
      child.stderr.destroy();
      end(why);
    };
    const interrupt = () => kill("it was interrupted");
    const timer = setTimeout(() => kill(`it ran longer than ${timeoutSeconds} s`), timeoutSeconds * 1000);
    stop.addEventListener("abort", interrupt, { once: true });
    child.on("error", (error: NodeJS.ErrnoException) =>
      end(error.code === "ENOENT" ? "there is no such program" : error.message),
    );
    child.on("exit", (code, signal) => {
      const why = code === 0 ? undefined : `it ended with ${signal ?? `exit ${code}`}`;
      child.on("close", () => end(why));
      // A program that it leaves behind may keep the streams open.
      setTimeout(() => end(why), LAST_OUTPUT_MS);
    });
  });
  if (problem === undefined) return;
  const shown = hideSecrets(printed.trim(), env).slice(-MAX_SHOWN_CHARS);
  throw new MusterError("COMMAND", `power_cycle (${program}): ${problem}${shown === "" ? "" : `: ${shown}`}`);
}

function hideSecrets(text: string, env: Record<string, string>): string {
  return Object.values(env)
    .filter((value) => value.length >= MIN_SECRET_CHARS)
    .reduce((shown, value) => shown.replaceAll(value, "***"), text);
}

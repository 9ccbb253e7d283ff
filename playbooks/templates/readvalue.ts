import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { TemplateValue } from "../../fleet/nodestate.js";
import { MusterError } from "../../schemas/errors.js";
import { readLocalBytes } from "../engine/localsource.js";
import type { ResolvedValue } from "./rendertemplate.js";

const TIMEOUT_MS = 30_000;
const MAX_BYTES = 1 << 20;

/**
 * Returns a value of templates; one that comes from the environment, a file or a command is a secret. Rejects with a MusterError (SOURCE,
 * COMMAND) that never has the secret in it. `name`: for messages.
 */
export async function readTemplateValue(name: string, value: TemplateValue): Promise<ResolvedValue> {
  switch (value.kind) {
    case "text":
      return { text: value.text, isSecret: false };
    case "env":
      return { text: readVariable(name, value.name), isSecret: true };
    case "file":
      return { text: withoutBreak(readLocalBytes(value.path, `values.${name}`).toString("utf8")), isSecret: true };
    case "command":
      return { text: withoutBreak(await runCommand(name, value.argv)), isSecret: true };
  }
}

function readVariable(name: string, variable: string): string {
  const text = process.env[variable];
  if (text !== undefined) return text;
  throw new MusterError("SOURCE", `values.${name}: the environment variable ${variable} is not set`, {
    next: `Set it where muster runs, e.g. ${variable}=... muster provision templates.`,
  });
}

/** Runs a command here. Of what it prints only stderr is shown, because stdout is the secret. */
async function runCommand(name: string, [program = "", ...args]: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, { timeout: TIMEOUT_MS, maxBuffer: MAX_BYTES });
    return stdout;
  } catch (error) {
    const { code, killed, stderr } = error as { code?: number | string; killed?: boolean; stderr?: string };
    const reason = killed
      ? `no answer within ${TIMEOUT_MS / 1000} s`
      : typeof code === "number"
        ? `exit ${code}`
        : `${code}`;
    const last = stderr?.trim().split("\n").at(-1);
    throw new MusterError("COMMAND", `values.${name}: ${program} failed (${reason})${last ? `: ${last}` : ""}`, {
      next: "Run the command by hand: it must print the secret, and ask for nothing.",
    });
  }
}

function withoutBreak(text: string): string {
  return text.replace(/\r?\n$/, "");
}

import { setTimeout as sleep } from "node:timers/promises";
import { MusterError } from "../../schemas/errors.js";
import type { ChangeContext } from "../engine/resource.js";
import { createSudoError, runAsRoot } from "../engine/sudo.js";
import { LOCK_SECONDS } from "./aptcommands.js";
import { explainAptFailure, type PackageFailure } from "./aptfailure.js";

const LOCK_PAUSE_MS = 2000;

/** What apt printed, and why it failed. */
export interface AptResult {
  output: string;
  failure?: PackageFailure;
}

/** Runs apt as root and returns what it printed. Waits for another package manager. Rejects with a MusterError (COMMAND, SUDO). */
export async function runApt(argv: string[], context: ChangeContext): Promise<string> {
  const deadline = performance.now() + LOCK_SECONDS * 1000;
  for (;;) {
    const { output, failure } = await tryApt(argv, context);
    if (failure === undefined) return output;
    if (!failure.isLocked || performance.now() > deadline)
      throw new MusterError("COMMAND", failure.message, failure.next === undefined ? {} : { next: failure.next });
    await sleep(LOCK_PAUSE_MS);
  }
}

/** Runs apt as root; its failure is explained. Rejects with a MusterError (SUDO) where it may not. */
export async function tryApt(argv: string[], { $ }: ChangeContext): Promise<AptResult> {
  const { exitCode, stdout, stderr } = await $({ nothrow: true })`${runAsRoot(argv)}`;
  if (exitCode === 0) return { output: stdout };
  const last = stderr.trim().split("\n").at(-1) ?? "";
  if (/^sudo: /.test(last)) throw createSudoError(last);
  return { output: stdout, failure: explainAptFailure(`${stdout}\n${stderr}`) };
}

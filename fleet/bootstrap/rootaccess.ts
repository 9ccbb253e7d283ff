import { MusterError } from "../../schemas/errors.js";
import type { CommandResult, Connection } from "../connection.js";

/** How programs run as root: the log-in is root's, sudo asks for nothing, or it takes a password. */
export type RootAccess = { kind: "root" } | { kind: "sudo" } | { kind: "password"; password: string };

/** Returns the argv that runs a program as root, and what to send it. The password is on its stdin, never in its arguments. Pure. */
export function formatRootCommand(access: RootAccess, argv: readonly string[]): { argv: string[]; stdin?: string } {
  switch (access.kind) {
    case "root":
      return { argv: [...argv] };
    case "sudo":
      return { argv: ["env", "LC_ALL=C", "sudo", "-n", "--", ...argv] };
    case "password": {
      // -k: sudo reads the password even where it remembers an earlier one, so that the program never gets that line.
      const closed = ["/bin/sh", "-c", 'exec "$@" </dev/null', "sh", ...argv];
      return {
        argv: ["env", "LC_ALL=C", "sudo", "-k", "-S", "-p", "", "--", ...closed],
        stdin: `${access.password}\n`,
      };
    }
    default:
      return access satisfies never;
  }
}

/** Why sudo did not run a program, from what it printed; undefined where that was not sudo's doing. Pure. */
export function explainSudoRefusal(stderr: string): "wrong password" | { refusal: string } | undefined {
  const lines = stderr.split("\n").map((line) => line.trim());
  if (lines.some((line) => /^sudo: .*(incorrect password|no password was provided|password is required)/.test(line)))
    return "wrong password";
  const refusal = lines.find((line) =>
    /not in the sudoers file|may not run sudo|is not allowed to|must have a tty/.test(line),
  );
  return refusal === undefined ? undefined : { refusal: refusal.replace(/^sudo: /, "") };
}

/** Whether sudo takes this password. Rejects with a MusterError (SUDO) where it lets the user run nothing. */
export async function checkSudoPassword(connection: Connection, password: string): Promise<boolean> {
  const result = await runWithRoot(connection, { kind: "password", password }, ["true"], SUDO_SECONDS);
  const refusal = explainSudoRefusal(result.stderr);
  if (refusal === "wrong password") return false;
  if (refusal === undefined && result.kind === "exit" && result.code === 0) return true;
  throw new MusterError("SUDO", `sudo: ${refusal?.refusal ?? describeFailure(result)}`, {
    node: connection.node.name,
    next: "Log in as root (muster bootstrap root@HOST), or allow this user to use sudo there.",
  });
}

/** Runs a program as root. */
export function runWithRoot(
  connection: Connection,
  access: RootAccess,
  argv: readonly string[],
  timeout: number,
): Promise<CommandResult> {
  const { argv: words, stdin } = formatRootCommand(access, argv);
  return connection.exec(words, { timeout, ...(stdin === undefined ? {} : { stdin }) });
}

/** The last line that a failed program printed, or how it ended. Pure. */
export function describeFailure(result: CommandResult): string {
  const line = result.stderr
    .trim()
    .split("\n")
    .at(-1)
    ?.replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, 300);
  if (line) return line;
  switch (result.kind) {
    case "exit":
      return `exit ${result.code}`;
    case "signal":
      return result.signal;
    case "timeout":
      return `it did not end within ${result.seconds} s`;
    case "lost":
      return `the connection was lost: ${result.reason}`;
    default:
      return result satisfies never;
  }
}

/** Creates the error of a step whose program has failed. Pure. */
export function createStepError(node: string, step: string, result: CommandResult, next: string): MusterError {
  const reason = describeFailure(result);
  if (result.kind === "lost" || result.kind === "timeout")
    return new MusterError(result.kind === "lost" ? "LOST" : "TIMEOUT", `${step}: ${reason}`, { node });
  if (/No space left on device|Disk quota exceeded/.test(reason))
    return new MusterError("NO_SPACE", `${step}: the disk is full: ${reason}`, {
      node,
      next: "Free some space there (df -h; df -i), then run the same command again.",
    });
  if (/Read-only file system/.test(reason))
    return new MusterError("READ_ONLY", `${step}: ${reason}`, {
      node,
      next: "It is mounted read-only, often after a disk error: check dmesg there.",
    });
  return new MusterError("COMMAND", `${step}: ${reason}`, { node, next });
}

/** How long sudo may take: PAM waits for some seconds after a wrong password. */
export const SUDO_SECONDS = 60;

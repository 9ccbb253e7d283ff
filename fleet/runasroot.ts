import { MusterError } from "../schemas/errors.js";

/** Returns the argv that runs a program as root: directly if the user is root, else with sudo, which must not ask for a password. */
export function runAsRoot(argv: string[]): string[] {
  const script = 'if [ "$(id -u)" = 0 ]; then exec "$@"; else exec sudo -n -- "$@"; fi';
  return ["/bin/sh", "-c", script, "sh", ...argv];
}

/** Creates the error (SUDO) for a refusal of sudo. `output`: its last line of output. */
export function createSudoError(output: string): MusterError {
  const missing = /not found|No such file/.test(output);
  const message = missing
    ? "this requires root, and sudo is not installed on the node"
    : `this requires root, and sudo does not allow it without a password: ${output}`;
  const next = missing
    ? "Log in as root (user: in the inventory), or install sudo there and allow this user to use it without a password."
    : "Allow it there with a line `USER ALL=(ALL) NOPASSWD: ALL` (visudo), or log in as root (user: in the inventory).";
  return new MusterError("SUDO", message, { next });
}

import { MusterError } from "../../schemas/errors.js";

/** Runs a program as root: as it is where the user is root already, else by sudo, which must not ask for a password. */
export function runAsRoot(argv: string[]): string[] {
  const script = 'if [ "$(id -u)" = 0 ]; then exec "$@"; else exec sudo -n -- "$@"; fi';
  return ["/bin/sh", "-c", script, "sh", ...argv];
}

/** sudo did not let us. `said`: its last words. */
export function createSudoError(said: string): MusterError {
  const missing = /not found|No such file/.test(said);
  const message = missing
    ? "this needs root, and there is no sudo on the node"
    : `this needs root, and sudo does not allow it without a password: ${said}`;
  const next = missing
    ? "Log in as root (user: in the inventory), or install sudo there and allow this user to use it without a password."
    : "Allow it there with a line `USER ALL=(ALL) NOPASSWD: ALL` (visudo), or log in as root (user: in the inventory).";
  return new MusterError("SUDO", 69, message, { next });
}

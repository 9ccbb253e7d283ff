import { spawnSync } from "node:child_process";
import { MusterError } from "../../schemas/errors.js";

/**
 * Takes the kernel's lock (flock) on an open file, which holds until this process ends or closes it, however it ends.
 * Node has no flock: util-linux's program locks the descriptor that it inherits, and since a lock belongs to the open file
 * and not to a process, it stays with ours when the program has gone. False when somebody else has it.
 */
export function takeLock(fd: number): boolean {
  const result = spawnSync("flock", ["--nonblock", "--exclusive", "3"], { stdio: ["ignore", "ignore", "pipe", fd] });
  if (result.status === 0) return true;
  if (result.status === 1) return false;
  throw new MusterError("NO_LOCK", 69, `cannot lock the run directory: ${result.error?.message ?? result.stderr}`, {
    next: "Install util-linux, which has the program flock.",
  });
}

import { spawnSync } from "node:child_process";
import { MusterError } from "../../../schemas/errors.js";

/** Seconds to wait for a lock: `isHeld` has one for a moment. */
const LOCK_TIMEOUT_SECONDS = "0.3";

/**
 * Takes the kernel's lock (flock) on an open file, which holds until this process ends or closes it, however it ends.
 * Node has no flock: util-linux's program locks the descriptor that it inherits, and since a lock belongs to the open file
 * and not to a process, it stays with ours when the program has gone. False when somebody else has it.
 */
export function tryLockFile(fd: number): boolean {
  const result = spawnSync("flock", ["--timeout", LOCK_TIMEOUT_SECONDS, "--exclusive", "3"], {
    stdio: ["ignore", "ignore", "pipe", fd],
  });
  if (result.status === 0) return true;
  if (result.status === 1) return false;
  throw new MusterError("NO_LOCK", 69, `cannot lock the run directory: ${result.error?.message ?? result.stderr}`, {
    next: "Install util-linux, which has the program flock.",
  });
}

/** Whether somebody has the lock on an open file. Asks by taking it, shared with others who ask, for a moment. */
export function isFileLocked(fd: number): boolean {
  return (
    spawnSync("flock", ["--nonblock", "--shared", "3"], { stdio: ["ignore", "ignore", "ignore", fd] }).status === 1
  );
}

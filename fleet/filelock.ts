import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { MusterError } from "../schemas/errors.js";

/** How long to wait for a lock, because `isFileLocked` takes it for a moment. */
const LOCK_TIMEOUT_SECONDS = "0.3";

/**
 * Takes the kernel's lock (flock) on an open file. Returns false if another process has it. The lock holds until this process closes
 * the file or ends, however it ends. Node.js has no flock, so the program `flock` of util-linux locks the descriptor that it inherits:
 * the lock belongs to the open file, not to the process, and stays when that program exits. Throws NO_LOCK (69) if it cannot run.
 */
export function tryLockFile(fd: number): boolean {
  const result = spawnSync("flock", ["--timeout", LOCK_TIMEOUT_SECONDS, "--exclusive", "3"], {
    stdio: ["ignore", "ignore", "pipe", fd],
  });
  if (result.status === 0) return true;
  if (result.status === 1) return false;
  throw createLockError(`${result.error?.message ?? result.stderr}`);
}

function createLockError(reason: string): MusterError {
  return new MusterError("NO_LOCK", `cannot lock a file: ${reason}`, {
    next: "Install util-linux, which has the program flock.",
  });
}

/**
 * Waits for the lock that `tryLockFile` takes, for so many seconds at most; this process can do other work meanwhile. Resolves with false if
 * another process still has it. Rejects with NO_LOCK (69).
 */
export async function waitForFileLock(fd: number, seconds: number): Promise<boolean> {
  const child = spawn("flock", ["--timeout", `${seconds}`, "--exclusive", "3"], {
    stdio: ["ignore", "ignore", "ignore", fd],
  });
  const [code] = await once(child, "exit").catch((error: Error) => {
    throw createLockError(error.message);
  });
  if (code === 0 || code === 1) return code === 0;
  throw createLockError(`flock: exit code ${code}`);
}

/** Whether another process has the lock on an open file. Tests that by taking a shared lock for a moment. */
export function isFileLocked(fd: number): boolean {
  return (
    spawnSync("flock", ["--nonblock", "--shared", "3"], { stdio: ["ignore", "ignore", "ignore", fd] }).status === 1
  );
}

import { closeSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { tryLockFile } from "../../fleet/filelock.js";
import { killGroup } from "../../fleet/killgroup.js";
import { MusterError } from "../../schemas/errors.js";
import { findLockHolders } from "./lockholders.js";

const POLL_MS = 500;
/** How long processes that were killed may take to end: one that waits for a disk or a network file system may take for ever. */
const END_SECONDS = 60;

/**
 * A kernel lock that every process of a program's group inherits, so that it is held for as long as one of them lives: whoever takes it
 * next has ended what an earlier coordinator left running.
 */
export class GroupLock {
  private constructor(
    /** The open file, for the `stdio` of the program. */
    readonly fd: number,
  ) {}

  /**
   * Ends the processes that hold the lock in `file`, and takes it when they are gone. Resolves with undefined where `stop` fires first.
   * Rejects with HELD (75) where they do not end within a minute.
   */
  static async take(file: string, stop: AbortSignal): Promise<GroupLock | undefined> {
    const fd = openSync(file, "a+");
    const deadline = performance.now() + END_SECONDS * 1000;
    try {
      for (let signal: NodeJS.Signals = "SIGTERM"; !tryLockFile(fd); signal = "SIGKILL") {
        if (stop.aborted) break;
        if (performance.now() > deadline) throw createHeldError(fd, file);
        endHolders(fd, signal);
        await sleep(POLL_MS);
      }
      if (!stop.aborted) return new GroupLock(fd);
      closeSync(fd);
      return undefined;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Records the leader of the group, so that it is found without a search. */
  record(pid: number | undefined): void {
    ftruncateSync(this.fd, 0);
    if (pid !== undefined) writeSync(this.fd, `${pid} ${readStartTime(pid)}`);
  }

  /** Releases the lock as far as this process holds it. */
  close(): void {
    closeSync(this.fd);
  }
}

function createHeldError(fd: number, file: string): MusterError {
  const groups = findLockHolders(fd).join(", ");
  return new MusterError(
    "HELD",
    `the processes that hold ${file} do not end (process groups: ${groups || "unknown"})`,
    {
      next: `Look at them with \`fuser -v ${file}\`. If they wait for a file system that is gone, restore or unmount it.`,
    },
  );
}

function endHolders(fd: number, signal: NodeJS.Signals): void {
  const bytes = Buffer.alloc(100);
  const [pid, start] = bytes.toString("utf8", 0, readSync(fd, bytes, 0, 100, 0)).split(" ");
  if (start !== undefined && start === readStartTime(Number(pid))) killGroup(Number(pid), signal);
  // The coordinator was killed before it could record the process, or only children of the recorded one are left.
  else for (const group of findLockHolders(fd)) killGroup(group, signal);
}

/** Returns when a process started, in clock ticks since boot. Together with the pid it identifies the process, since pids are reused. */
function readStartTime(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")[19];
  } catch {
    return undefined;
  }
}

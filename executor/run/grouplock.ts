import { randomUUID } from "node:crypto";
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { tryLockFile } from "../../fleet/filelock.js";
import { killGroup } from "../../fleet/killgroup.js";
import { MusterError } from "../../schemas/errors.js";
import { findLockHolders } from "./lockholders.js";
import { describeGroup, groupEnvironment, isGroupAlive, type ProcessGroup } from "./processgroup.js";

const POLL_MS = 500;
/** How long processes that were killed may take to end: one that waits for a disk or a network file system may take for ever. */
const END_SECONDS = 60;
const MAX_RECORD_BYTES = 200;

/**
 * A kernel lock that the processes of a program's group inherit, and that records the group, since a program may close the lock in its children
 * (as Python's subprocess does). Whoever takes it next has ended what an earlier coordinator left running.
 */
export class GroupLock {
  private readonly token = randomUUID();

  private constructor(
    /** The open file, for the `stdio` of the program. */
    readonly fd: number,
  ) {}

  /**
   * Ends the group that is recorded in `file` and the processes that hold its lock, and takes the lock when they are gone. Resolves with
   * undefined where `stop` fires first. Rejects with HELD (75) where they do not end within a minute.
   */
  static async take(file: string, stop: AbortSignal): Promise<GroupLock | undefined> {
    const fd = openSync(file, "a+");
    const deadline = performance.now() + END_SECONDS * 1000;
    try {
      for (let signal: NodeJS.Signals = "SIGTERM"; !(tryLockFile(fd) && isFree(fd)); signal = "SIGKILL") {
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

  /** The environment of a program that is started with this lock: that of this process, and by what its processes are known. */
  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, ...groupEnvironment(this.token) };
  }

  /** Records the group that the program `pid` leads; undefined = it is gone. */
  record(pid: number | undefined): void {
    ftruncateSync(this.fd, 0);
    const group = pid === undefined ? undefined : describeGroup(pid, this.token);
    if (group !== undefined) writeSync(this.fd, `${group.id} ${group.start} ${group.boot} ${group.token}`);
  }

  /** Releases the lock as far as this process holds it. */
  close(): void {
    closeSync(this.fd);
  }
}

function createHeldError(fd: number, file: string): MusterError {
  const recorded = isFree(fd) ? undefined : readRecord(fd)?.id;
  const groups = [...new Set([...(recorded === undefined ? [] : [recorded]), ...findLockHolders(fd)])].join(", ");
  return new MusterError(
    "HELD",
    `the processes that belong to ${file} do not end (process groups: ${groups || "unknown"})`,
    {
      next: `Look at them with \`fuser -v ${file}\` and \`pgrep -a -g GROUP\`. If they wait for a file system that is gone, restore or unmount it.`,
    },
  );
}

/** Whether no process of the recorded group is alive. */
function isFree(fd: number): boolean {
  const group = readRecord(fd);
  return group === undefined || !isGroupAlive(group);
}

function endHolders(fd: number, signal: NodeJS.Signals): void {
  const group = readRecord(fd);
  if (group !== undefined && isGroupAlive(group)) killGroup(group.id, signal);
  // The coordinator was killed before it could record the group, or an older muster has recorded it.
  else for (const holder of findLockHolders(fd)) killGroup(holder, signal);
}

function readRecord(fd: number): ProcessGroup | undefined {
  const bytes = Buffer.alloc(MAX_RECORD_BYTES);
  const [id, start, boot, token] = bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, 0)).split(" ");
  if (start === undefined || boot === undefined || token === undefined) return undefined;
  return { id: Number(id), start, boot, token };
}

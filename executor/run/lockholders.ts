import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readGroup } from "./processgroup.js";

/**
 * Returns the process groups that hold the lock of an open file, apart from this process's own, from what the kernel says about open
 * descriptors (`/proc/PID/fdinfo`). Processes of other users are not seen.
 */
export function findLockHolders(lock: number): number[] {
  const path = readlinkSync(`/proc/self/fd/${lock}`);
  const own = readGroup("self");
  const groups = new Set<number>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    if (!holdsLock(pid, path)) continue;
    const group = readGroup(pid);
    if (group !== undefined && group > 1 && group !== own) groups.add(group);
  }
  return [...groups];
}

function holdsLock(pid: string, path: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some(
      (fd) =>
        readlinkSync(`/proc/${pid}/fd/${fd}`) === path &&
        readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8").includes("lock:"),
    );
  } catch {
    return false;
  }
}

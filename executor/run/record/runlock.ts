import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { MusterError } from "../../../schemas/errors.js";
import { tryLockFile } from "./filelock.js";
import { restrictMode } from "./filemode.js";
import { readEntries } from "./journal.js";

/** Where the run directory of a job or a pipeline is: `out`, else runs/NAME beside its file. With `fresh`, the next free name beside it. */
export function resolveRunPath(of: { folder: string; name: string }, out: string | undefined, fresh: boolean): string {
  const path = out ?? join(of.folder, "runs", of.name);
  if (!fresh || !existsSync(path)) return path;
  for (let n = 2; ; n++) if (!existsSync(`${path}-${n}`)) return `${path}-${n}`;
}

/** The journal of a run directory, opened. */
export interface LockedJournal {
  fd: number;
  file: string;
}

/**
 * Opens the journal of a run directory, making both where they are not there, for this process alone: until `fd` is closed. The
 * journal gives no permissions beyond `mode`. Refuses
 * (75) one that another process has, naming it; throws as the system does where it cannot be written.
 */
export function acquireRunLock(path: string, mode: number): LockedJournal {
  const file = join(path, "journal.ndjson");
  mkdirSync(path, { recursive: true });
  const fd = openSync(file, "a+", mode);
  restrictMode(fd, mode);
  if (tryLockFile(fd)) return { fd, file };
  const holder = describeHolder(fd, file);
  closeSync(fd);
  throw new MusterError("HELD", 75, `${path} is held by ${holder}`, {
    next: "Wait for it to end, or stop it; two coordinators never share a run directory.",
  });
}

/** A run directory that is not to be gone on with, and `what` it holds instead. */
export function createOtherRunError(path: string, what: string): MusterError {
  return new MusterError("OTHER_RUN", 65, `${path} holds ${what}`, {
    next: "Start anew beside it with --fresh, or choose another folder with --out.",
  });
}

/** The coordinator that opened a run last; jobs and pipelines write that down alike. */
function describeHolder(fd: number, file: string): string {
  let by = "another muster";
  readEntries<{ e: string; pid: number; host: string; at: string }>(fd, file, ({ e, pid, host, at }) => {
    if (e === "open") by = `muster process ${pid} on ${host}, since ${at}`;
  });
  return by;
}

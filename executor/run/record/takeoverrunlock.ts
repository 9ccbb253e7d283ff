import { closeSync, openSync, readdirSync, readlinkSync, realpathSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MusterError } from "../../../schemas/errors.js";
import { tryLockFile } from "./filelock.js";
import { Journal, readEntries } from "./journal.js";

/** Seconds that a coordinator has to end, once it has been told to. */
const COORDINATOR_EXIT_TIMEOUT_SECONDS = 60;

/** What a journal says of the sessions before: gathered record by record, the last coordinator among it. */
interface HolderReplay<E> {
  apply(entry: E): void;
  holder: { pid: number; host: string; at: string } | undefined;
}

/** A run directory that is ours alone now, with what its sessions have left. */
export interface TakenOverRun<E extends object, P extends HolderReplay<E>> {
  journal: Journal<E>;
  replay: P;
  close(): void;
}

/**
 * Takes over the run directory `path`: from nobody, or from the coordinator that holds it, which is told to end as by TERM (its
 * journal is closed, nodes keep what they have). `nothing`: makes what the journal is gathered in. `ending` is called with its
 * process id then. Rejects with HELD (75) where it is on another machine or does not end, and with JOURNAL_DAMAGED.
 */
export async function takeOverRunLock<E extends object, P extends HolderReplay<E>>(
  path: string,
  nothing: () => P,
  ending: (pid: number) => void,
): Promise<TakenOverRun<E, P>> {
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "a+");
  try {
    if (!tryLockFile(fd)) {
      const past = nothing();
      readEntries<E>(fd, file, (entry) => past.apply(entry));
      await stopHolder(path, file, fd, past.holder, ending);
    }
    const past = nothing();
    const journal = Journal.resume<E>(fd, file, (entry) => past.apply(entry));
    return { journal, replay: past, close: () => journal.close() };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

async function stopHolder(
  path: string,
  file: string,
  fd: number,
  holder: HolderReplay<never>["holder"],
  ending: (pid: number) => void,
): Promise<void> {
  if (holder === undefined) throw createHeldError(path, "another muster, which is only starting", "Try again.");
  const who = `muster process ${holder.pid} on ${holder.host}, since ${holder.at}`;
  if (holder.host !== hostname() || !hasFileOpen(holder.pid, file))
    throw createHeldError(path, who, `Use \`muster cancel\` there, on ${holder.host}.`);
  ending(holder.pid);
  process.kill(holder.pid, "SIGTERM");
  process.kill(holder.pid, "SIGCONT"); // one that was stopped hears it, too
  for (const deadline = performance.now() + COORDINATOR_EXIT_TIMEOUT_SECONDS * 1000; !tryLockFile(fd); await sleep(50))
    if (performance.now() > deadline)
      throw createHeldError(
        path,
        `${who}; it was told to end and has not`,
        `Use \`kill -9 ${holder.pid}\`, then cancel again.`,
      );
}

/** Whether the process has this file open. A number alone might be another process by now, or one of another container. */
function hasFileOpen(pid: number, file: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    const real = realpathSync(file);
    return readdirSync(folder).some((fd) => readLink(join(folder, fd)) === real);
  } catch {
    return false;
  }
}

/** Descriptors come and go while they are looked at. */
function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function createHeldError(path: string, by: string, next: string): MusterError {
  return new MusterError("HELD", 75, `${path} is held by ${by}`, { next });
}

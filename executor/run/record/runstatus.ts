import { accessSync, closeSync, constants, existsSync, fstatSync, openSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { isFileLocked } from "../../../fleet/filelock.js";
import { MusterError } from "../../../schemas/errors.js";
import { countQueue } from "../queue/queuecounts.js";
import { type ChunkOutcomes, countOutcomes } from "./chunkoutcomes.js";
import { readFirstEntries, readLastEntry } from "./journal.js";
import type { CloseEntry } from "./journalentry.js";
import type { Leftover } from "./leftovers.js";
import { type LiveRun, readLiveRun } from "./liverun.js";
import { type RunReplay, replayJournal } from "./replay.js";
import { type RunSummary, readSummary } from "./runsummary.js";
import { rejectSpecialFiles } from "./specialfiles.js";

/** The state of a run, read from its run directory alone. This is the JSON document of `muster status`. */
export interface RunStatus {
  name: string;
  /** The absolute path of the run directory. */
  path: string;
  /** The state in summary.json; or `running` while its coordinator lives, `interrupted` if that was killed before the end. */
  state: RunSummary["state"] | "running" | "new" | "damaged";
  /** When its first session began, ISO 8601. */
  started?: string;
  /** Seconds from then to its last entry, or to now while it runs. */
  seconds?: number;
  chunks: ChunkOutcomes;
  /** In decimal, because they may exceed 2^53. `total` is absent in older journals. */
  units: { done: string; total?: string };
  /** Of a queue: whether more tasks may come. */
  queue?: "open" | "closed";
  /** Tasks that the `ask` program wanted to add in the last session, and that were refused; absent if there are none. */
  refusedTasks?: number;
  /** The nodes that may work, or have worked, on it. */
  nodes: string[];
  /** The nodes that may still hold processes or files of it; absent while it runs, or if there are none. */
  leftovers?: Leftover[];
  /** The pilots that may wait or run for the next session, as CLUSTER/ID; absent while it runs, or if there are none. */
  pilots?: string[];
  /** The coordinator, while one is running. */
  coordinator?: { pid: number; host: string; since: string };
  /** What runs where, as the coordinator wrote last; of an interrupted run only where it was killed. */
  live?: LiveRun;
  /** What went wrong. */
  reason?: string;
}

/** Returns the run directories that `folder` means: itself, or else those in it, or else those in its `runs`; sorted by name. */
export function findRuns(folder: string): string[] {
  const path = resolve(folder);
  if (hasJournal(path)) return [path];
  const inside = (parent: string) =>
    isReadable(parent)
      ? readdirSync(parent)
          .sort()
          .map((name) => join(parent, name))
          .filter(hasJournal)
      : [];
  if (!existsSync(path) || !statSync(path).isDirectory()) return [];
  const here = inside(path);
  return here.length > 0 ? here : inside(join(path, "runs"));
}

/**
 * Reads the status of the run in the directory `path`, without changing anything or disturbing its coordinator. A damaged journal
 * gives the state `damaged`. Throws the system's error if the journal cannot be read.
 */
export function readRunStatus(path: string, nowMs: number): RunStatus {
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "r");
  try {
    return readStatus(path, fd, nowMs, () => replayJournal(fd, file));
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return { ...createEmptyStatus(path), state: "damaged", reason: error.message };
  } finally {
    closeSync(fd);
  }
}

/**
 * The same for an open journal. Calls `replay` only if the run has not ended with a summary, so the status of an ended run costs the
 * same however long it was. Throws what `replay` throws, and RESULTS_DAMAGED (65).
 */
export function readStatus(path: string, fd: number, nowMs: number, replay: () => RunReplay): RunStatus {
  rejectSpecialFiles(path);
  const { mtimeMs } = fstatSync(fd);
  const last = readLastEntry(fd);
  const end = last?.e === "close" ? last : undefined;
  const isLocked = end === undefined && isFileLocked(fd);
  const summary = end === undefined ? undefined : readSummary(path);
  const status =
    end === undefined || summary === undefined
      ? statusFromReplay(path, replay(), isLocked, mtimeMs)
      : statusFromSummary(path, summary, end);
  const started = status.started ?? readFirstSessionStart(fd) ?? replay().startedAt;
  const until = status.state === "running" ? nowMs : findEnd(end, status.live, mtimeMs);
  return { ...status, started, seconds: started === undefined ? undefined : secondsBetween(started, until) };
}

/**
 * Returns when a run ended, Unix time in milliseconds. A coordinator that was killed wrote live.json later than the journal, if nothing was
 * committed.
 */
function findEnd(end: CloseEntry | undefined, live: LiveRun | undefined, journalChangedMs: number): number {
  if (end?.at !== undefined) return Date.parse(end.at);
  const writtenMs = live === undefined ? Number.NaN : Date.parse(live.written);
  // Modification times are a fallback only: a copy of a run directory has new ones.
  return Number.isNaN(writtenMs) ? journalChangedMs : Math.max(writtenMs, journalChangedMs);
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether a folder has a journal, and so is the run directory of a job or of a pipeline. */
export function hasJournal(path: string): boolean {
  try {
    return statSync(join(path, "journal.ndjson"), { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return false;
  }
}

/** Returns the status of a run of which nothing is known. */
export function createEmptyStatus(path: string): RunStatus {
  return { name: basename(path), path, state: "new", chunks: { done: 0, failed: 0 }, units: { done: "0" }, nodes: [] };
}

function statusFromSummary(path: string, summary: RunSummary, end: CloseEntry): RunStatus {
  const { name, state, chunks, units, refusedTasks, pilots = [], error, halt } = summary;
  const nodes = summary.nodes.filter((node) => node.state !== "left out").map((node) => node.node);
  return {
    name,
    path,
    state,
    chunks,
    units,
    ...(refusedTasks === undefined ? {} : { refusedTasks }),
    ...queueFields(path, units.done, BigInt(chunks.cancelled ?? 0)),
    nodes,
    ...leftoversField(end.leftovers ?? []),
    ...(state === "cancelled" ? {} : pilotsField(pilots)),
    reason: error ?? halt?.reason,
  };
}

function statusFromReplay(path: string, replay: RunReplay, isLocked: boolean, journalChangedMs: number): RunStatus {
  const { header, startedAt, lastOpen, committedUnits, closeEntry } = replay;
  const { committedChunks, failedChunks, stoppedChunks } = replay;
  const status: RunStatus = {
    ...createEmptyStatus(path),
    name: header?.name ?? basename(path),
    started: startedAt,
    chunks: countOutcomes({
      committed: committedChunks,
      failed: failedChunks,
      stopped: stoppedChunks,
      cancelled: replay.cancelledUnits.size(),
    }),
    units: { done: `${committedUnits.size()}`, total: header?.units },
    ...queueFields(path, `${committedUnits.size()}`, header === undefined ? undefined : replay.cancelledUnits.size()),
    nodes: replay.nodeNames,
  };
  if (isLocked)
    return {
      ...status,
      state: "running",
      coordinator: lastOpen && { pid: lastOpen.pid, host: lastOpen.host, since: lastOpen.at },
      ...liveField(path, lastOpen?.session),
    };
  if (lastOpen === undefined) return status;
  const ended = { ...status, ...leftoversField(replay.leftovers) };
  if (closeEntry !== undefined) return { ...ended, state: closeEntry.state };
  const reason = readBrokenReason(path, journalChangedMs);
  const pilots = pilotsField(
    [...replay.pilots].flatMap(({ cluster, id }) => (id === undefined ? [] : `${cluster}/${id}`)),
  );
  return reason === undefined
    ? { ...ended, ...pilots, state: "interrupted", ...liveField(path, lastOpen.session) }
    : { ...ended, ...pilots, state: "broken", reason };
}

/**
 * Returns what the queue of a run adds to its status, however the run ended: its tasks are in no journal, and more may be added at any time.
 * `cancelled`: the tasks that a coordinator has cancelled; undefined where none was there yet, and all that was asked for will be.
 */
function queueFields(
  path: string,
  done: string,
  cancelled: bigint | undefined,
): Partial<Pick<RunStatus, "chunks" | "units" | "queue">> {
  const queue = countQueue(path);
  if (queue === undefined) return {};
  const asked = cancelled === undefined && queue.cancelled > 0n ? Number(queue.cancelled) : undefined;
  return {
    ...(asked === undefined ? {} : { chunks: { done: 0, failed: 0, cancelled: asked } }),
    units: { done, total: `${queue.accepted - (cancelled ?? queue.cancelled)}` },
    queue: queue.isOpen ? "open" : "closed",
  };
}

/** Returns what the coordinator of a session wrote about what it ran: it removes that at its end. */
function liveField(path: string, session: number | undefined): Pick<RunStatus, "live" | "refusedTasks"> {
  const live = session === undefined ? undefined : readLiveRun(path, session);
  if (live === undefined) return {};
  const { refusedTasks } = live;
  return { ...(refusedTasks === undefined ? {} : { refusedTasks }), live };
}

function leftoversField(leftovers: Leftover[]): Pick<RunStatus, "leftovers"> {
  return leftovers.length === 0 ? {} : { leftovers };
}

function pilotsField(pilots: string[]): Pick<RunStatus, "pilots"> {
  return pilots.length === 0 ? {} : { pilots };
}

/** Returns why the last session broke off, if it could write a summary: that is then no older than the journal. */
function readBrokenReason(path: string, journalChangedMs: number): string | undefined {
  const written = statSync(join(path, "summary.json"), { throwIfNoEntry: false });
  if (written === undefined || written.mtimeMs < journalChangedMs) return undefined;
  const summary = readSummary(path);
  return summary?.state === "broken" ? (summary.error ?? "unknown") : undefined;
}

function readFirstSessionStart(fd: number): string | undefined {
  return readFirstEntries(fd).find((entry) => entry.e === "open")?.at;
}

function secondsBetween(started: string, untilMs: number): number {
  return Math.max(0, Math.round(untilMs - Date.parse(started)) / 1000);
}

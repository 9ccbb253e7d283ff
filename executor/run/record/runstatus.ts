import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
} from "node:fs";
import { basename, join, resolve } from "node:path";
import { MusterError } from "../../../schemas/errors.js";
import { isFileLocked } from "./filelock.js";
import { decodeEntry } from "./journal.js";
import type { CloseEntry, JournalEntry } from "./journalentry.js";
import type { Leftover } from "./leftovers.js";
import { type RunReplay, replayJournal } from "./replay.js";
import { type RunSummary, readSummary } from "./runsummary.js";

/** How a run stands, as its directory alone says. */
export interface RunStatus {
  name: string;
  /** The run directory; absolute. */
  path: string;
  /** As summary.json has it; `running` while its coordinator lives, `interrupted` where it ended or was killed before the end. */
  state: RunSummary["state"] | "running" | "new" | "damaged";
  /** When its first session began, ISO 8601. */
  started?: string;
  /** From then to its last record, or to now while it runs. */
  seconds?: number;
  chunks: { done: number; failed: number };
  /** In decimal, for they may be large; `total` is absent where it is not known. */
  units: { done: string; total?: string };
  /** The nodes that may work, or have worked, on it. */
  nodes: string[];
  /** Those that may still hold processes or files of it, while nobody works on it; absent where there are none. */
  leftovers?: Leftover[];
  /** Who works on it now. */
  coordinator?: { pid: number; host: string; since: string };
  /** What is wrong with it. */
  reason?: string;
}

/** Bytes of a journal's end that its last record surely fits into, but for a failure that says much. */
const TAIL_BYTES = 64 << 10;

/** The run directories that `folder` means: itself, else those in it, else those in its `runs`; in the order of their names. */
export function findRuns(folder: string): string[] {
  const path = resolve(folder);
  if (isRunDirectory(path)) return [path];
  const inside = (parent: string) =>
    isReadable(parent)
      ? readdirSync(parent)
          .sort()
          .map((name) => join(parent, name))
          .filter(isRunDirectory)
      : [];
  if (!existsSync(path) || !statSync(path).isDirectory()) return [];
  const here = inside(path);
  return here.length > 0 ? here : inside(join(path, "runs"));
}

/**
 * Reads how the run in the directory `path` stands. Nothing is changed, and the coordinator is not disturbed. The cost of a run
 * that has ended does not depend on its length; for another its journal is read through once. `now`: milliseconds.
 */
export function readRunStatus(path: string, now: number): RunStatus {
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "r");
  try {
    const { mtimeMs } = fstatSync(fd);
    const last = readLastEntry(fd);
    const end = last?.e === "close" ? last : undefined;
    const held = end === undefined && isFileLocked(fd);
    const summary = end === undefined ? undefined : readSummary(path);
    const status =
      end === undefined || summary === undefined
        ? statusFromJournal(path, replayJournal(fd, file), held, mtimeMs)
        : statusFromSummary(path, summary, end);
    const started = status.started ?? readFirstSessionStart(fd) ?? replayJournal(fd, file).startedAt;
    // A copy of a run directory has new times of its files.
    const until = status.state === "running" ? now : end?.at === undefined ? mtimeMs : Date.parse(end.at);
    return { ...status, started, seconds: elapsedSeconds(started, until) };
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return { ...createEmptyStatus(path), state: "damaged", reason: error.message };
  } finally {
    closeSync(fd);
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isRunDirectory(path: string): boolean {
  return existsSync(join(path, "journal.ndjson"));
}

/** A run of which nothing is known. */
export function createEmptyStatus(path: string): RunStatus {
  return { name: basename(path), path, state: "new", chunks: { done: 0, failed: 0 }, units: { done: "0" }, nodes: [] };
}

function statusFromSummary(path: string, summary: RunSummary, end: CloseEntry): RunStatus {
  const { name, state, chunks, units, error } = summary;
  const nodes = summary.nodes.filter((node) => node.state !== "left out").map((node) => node.node);
  return { name, path, state, chunks, units, nodes, ...leftoversField(end.leftovers ?? []), reason: error };
}

function statusFromJournal(path: string, replay: RunReplay, held: boolean, changed: number): RunStatus {
  const { header, startedAt, holder, closeEntry, leftovers } = replay;
  const status: RunStatus = {
    ...createEmptyStatus(path),
    name: header?.name ?? basename(path),
    started: startedAt,
    chunks: { done: replay.committedChunks, failed: replay.failedChunks },
    units: { done: `${replay.committedUnits.size()}`, total: header?.units },
    nodes: [...new Set([...replay.nodes.values()].flatMap((names) => [...names]))],
  };
  if (held)
    return {
      ...status,
      state: "running",
      coordinator: holder && { pid: holder.pid, host: holder.host, since: holder.at },
    };
  if (holder === undefined) return status;
  const ended = { ...status, ...leftoversField(leftovers) };
  const broken = closeEntry === undefined ? readBrokenReason(path, changed) : undefined;
  if (broken !== undefined) return { ...ended, state: "broken", reason: broken };
  return { ...ended, state: closeEntry?.state ?? "interrupted" };
}

function leftoversField(leftovers: Leftover[]): Pick<RunStatus, "leftovers"> {
  return leftovers.length === 0 ? {} : { leftovers };
}

/** Why the last session broke off: that is told by a summary that is not older than the journal. */
function readBrokenReason(path: string, changed: number): string | undefined {
  const written = statSync(join(path, "summary.json"), { throwIfNoEntry: false });
  if (written === undefined || written.mtimeMs < changed) return undefined;
  const summary = readSummary(path);
  return summary?.state === "broken" ? (summary.error ?? "unknown") : undefined;
}

/** The last record of a journal; undefined where there is none, it is torn, or it is longer than what is looked at. */
function readLastEntry(fd: number): JournalEntry | undefined {
  const { size } = fstatSync(fd);
  const from = Math.max(0, size - TAIL_BYTES);
  const lines = readText(fd, from, size - from).split("\n");
  const line = lines.at(-2);
  return line === undefined || lines.at(-1) !== "" ? undefined : decodeEntry(line);
}

/** When the first session began; undefined where that is not within what is looked at. */
function readFirstSessionStart(fd: number): string | undefined {
  const entries = readText(fd, 0, TAIL_BYTES)
    .split("\n")
    .slice(0, -1)
    .map((line) => decodeEntry(line));
  return entries.find((entry) => entry?.e === "open")?.at;
}

function readText(fd: number, from: number, length: number): string {
  const bytes = Buffer.alloc(length);
  return bytes.toString("utf8", 0, readSync(fd, bytes, 0, length, from));
}

function elapsedSeconds(started: string | undefined, until: number): number | undefined {
  if (started === undefined) return undefined;
  return Math.max(0, Math.round(until - Date.parse(started)) / 1000);
}

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
import { decode, type Entry, readEntries } from "./journal.js";
import { type Leftover, Leftovers } from "./leftovers.js";
import { isHeld } from "./lock.js";
import type { CloseEntry } from "./past.js";
import { readSummary, type Summary } from "./summary.js";

/** How a run stands, as its directory alone says. */
export interface Standing {
  name: string;
  /** The run directory; absolute. */
  path: string;
  /** As summary.json has it; `running` while its coordinator lives, `interrupted` where it ended or was killed before the end. */
  state: Summary["state"] | "running" | "new" | "damaged";
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
const TAIL = 64 << 10;

/** The run directories that `folder` means: itself, else those in it, else those in its `runs`; in the order of their names. */
export function findRuns(folder: string): string[] {
  const path = resolve(folder);
  if (isRun(path)) return [path];
  const inside = (parent: string) =>
    isReadable(parent)
      ? readdirSync(parent)
          .sort()
          .map((name) => join(parent, name))
          .filter(isRun)
      : [];
  if (!existsSync(path) || !statSync(path).isDirectory()) return [];
  const here = inside(path);
  return here.length > 0 ? here : inside(join(path, "runs"));
}

/**
 * Reads how the run in the directory `path` stands. Nothing is changed, and the coordinator is not disturbed. The cost of a run
 * that has ended does not depend on its length; for another its journal is read through once. `now`: milliseconds.
 */
export function standingOf(path: string, now: number): Standing {
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "r");
  try {
    const { mtimeMs } = fstatSync(fd);
    const last = lastEntry(fd);
    const end = last?.e === "close" ? last : undefined;
    const held = end === undefined && isHeld(fd);
    const summary = end === undefined ? undefined : readSummary(path);
    const standing =
      end === undefined || summary === undefined
        ? unended(path, countsOf(fd, file), held, mtimeMs)
        : ended(path, summary, end);
    const started = standing.started ?? firstSession(fd) ?? countsOf(fd, file).started;
    // A copy of a run directory has new times of its files.
    const until = standing.state === "running" ? now : end?.at === undefined ? mtimeMs : Date.parse(end.at);
    return { ...standing, started, seconds: seconds(started, until) };
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return { ...nothing(path), state: "damaged", reason: error.message };
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

function isRun(path: string): boolean {
  return existsSync(join(path, "journal.ndjson"));
}

/** What a journal says of a run, gathered record by record. */
class Counts {
  run: Extract<Entry, { e: "run" }> | undefined;
  started: string | undefined;
  holder: Extract<Entry, { e: "open" }> | undefined;
  nodes: string[] = [];
  done = 0;
  units = 0n;
  /** Of the last session: a chunk that failed in an earlier one has been tried again. */
  failed = 0;
  closed: string | undefined;
  readonly leftovers = new Leftovers();

  see(entry: Entry): void {
    this.leftovers.see(entry);
    switch (entry.e) {
      case "run":
        this.run = entry;
        break;
      case "open":
        this.started ??= entry.at;
        this.holder = entry;
        this.failed = 0;
        this.closed = undefined;
        break;
      case "nodes":
        this.nodes = [...new Set([...this.nodes, ...entry.nodes])];
        break;
      case "done":
        this.done++;
        this.units += BigInt(entry.end) - BigInt(entry.start);
        break;
      case "failed":
        this.failed++;
        break;
      case "close":
        this.closed = entry.state;
    }
  }
}

/** A run of which nothing is known. */
export function nothing(path: string): Standing {
  return { name: basename(path), path, state: "new", chunks: { done: 0, failed: 0 }, units: { done: "0" }, nodes: [] };
}

function ended(path: string, summary: Summary, end: CloseEntry): Standing {
  const { name, state, chunks, units, error } = summary;
  const nodes = summary.nodes.filter((node) => node.state !== "left out").map((node) => node.node);
  return { name, path, state, chunks, units, nodes, ...named(end.leftovers ?? []), reason: error };
}

function unended(path: string, counts: Counts, held: boolean, changed: number): Standing {
  const { run, started, holder, nodes, done, failed, units } = counts;
  const standing: Standing = {
    ...nothing(path),
    name: run?.name ?? basename(path),
    started,
    chunks: { done, failed },
    units: { done: `${units}`, total: run?.units },
    nodes,
  };
  if (held)
    return {
      ...standing,
      state: "running",
      coordinator: holder && { pid: holder.pid, host: holder.host, since: holder.at },
    };
  if (holder === undefined) return standing;
  const left = { ...standing, ...named(counts.leftovers.list) };
  const broken = counts.closed === undefined ? brokenSince(path, changed) : undefined;
  if (broken !== undefined) return { ...left, state: "broken", reason: broken };
  return { ...left, state: (counts.closed as Standing["state"]) ?? "interrupted" };
}

function named(leftovers: Leftover[]): Pick<Standing, "leftovers"> {
  return leftovers.length === 0 ? {} : { leftovers };
}

/** Why the last session broke off: that is told by a summary that is not older than the journal. */
function brokenSince(path: string, changed: number): string | undefined {
  const written = statSync(join(path, "summary.json"), { throwIfNoEntry: false });
  if (written === undefined || written.mtimeMs < changed) return undefined;
  const summary = readSummary(path);
  return summary?.state === "broken" ? (summary.error ?? "unknown") : undefined;
}

/** The last record of a journal; undefined where there is none, it is torn, or it is longer than what is looked at. */
function lastEntry(fd: number): Entry | undefined {
  const { size } = fstatSync(fd);
  const from = Math.max(0, size - TAIL);
  const lines = textOf(fd, from, size - from).split("\n");
  const line = lines.at(-2);
  return line === undefined || lines.at(-1) !== "" ? undefined : decode(line);
}

/** When the first session began; undefined where that is not within what is looked at. */
function firstSession(fd: number): string | undefined {
  const entries = textOf(fd, 0, TAIL)
    .split("\n")
    .slice(0, -1)
    .map((line) => decode(line));
  return entries.find((entry) => entry?.e === "open")?.at;
}

function countsOf(fd: number, file: string): Counts {
  const counts = new Counts();
  readEntries(fd, file, (entry) => counts.see(entry));
  return counts;
}

function textOf(fd: number, from: number, length: number): string {
  const bytes = Buffer.alloc(length);
  return bytes.toString("utf8", 0, readSync(fd, bytes, 0, length, from));
}

function seconds(started: string | undefined, until: number): number | undefined {
  if (started === undefined) return undefined;
  return Math.max(0, Math.round(until - Date.parse(started)) / 1000);
}

import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { IntervalSet } from "../../schedule/queue/intervalset.js";
import { readEntries } from "./journal.js";
import type { CloseEntry, JournalEntry, RecheckDifference } from "./journalentry.js";
import type { Leftover } from "./leftovers.js";
import { LoggedAttempts } from "./loggedattempts.js";
import { OpenPilots } from "./openpilots.js";
import type { PublishedFile } from "./ownfile.js";
import { ProgramVersions } from "./programversions.js";

type RunEntry = Extract<JournalEntry, { e: "run" }>;
type OpenEntry = Extract<JournalEntry, { e: "open" }>;

/** The work of one coordinator. `began` is ISO 8601; `from` and `seconds` are seconds at work, as in RunHistory. */
export interface RunSession {
  number: number;
  began: string;
  from: number;
  seconds: number;
}

/**
 * The state of a run that its journal describes, rebuilt record by record. Resume, status, report and cancel all use it. Its size
 * grows with the sessions, nodes, rechecks and gaps between committed units, but not with the number of chunks.
 */
export class RunReplay {
  /** The first record; undefined while the run directory is new. */
  header: RunEntry | undefined;
  /** The ids of the run, the current one last. */
  readonly ids: string[] = [];
  /** The record of the last coordinator that opened the run. */
  lastOpen: OpenEntry | undefined;
  /** The nonces of all coordinators that opened the run. */
  readonly nonces: string[] = [];
  readonly sessions: RunSession[] = [];
  readonly committedUnits = new IntervalSet();
  committedChunks = 0;
  /** Tasks of a queue that were cancelled. */
  readonly cancelledUnits = new IntervalSet();
  /** How many of these were stopped on request. */
  stoppedChunks = 0;
  /** Chunks that are to be stopped and are not committed. */
  readonly stopRequests = new Set<string>();
  /** Chunks that failed in the last session; a new session tries them again. */
  failedChunks = 0;
  /** Bytes of results.ndjson that are committed. */
  resultsBytes = 0;
  /** How the last session ended; undefined if it was killed or still runs. */
  closeEntry: CloseEntry | undefined;
  /** Files that were about to be published for chunks that are not committed, by chunk. */
  readonly pendingPublications = new Map<string, readonly PublishedFile[]>();
  /** Files that are made of all results, each time that they were about to be published. */
  readonly combinedFiles: PublishedFile[] = [];
  /** Whether edited inputs have replaced their sources, or were about to. */
  hasReplacedSources = false;
  readonly recheckedChunks = new Set<string>();
  readonly recheckDifferences: RecheckDifference[] = [];
  /** Which attempts the files in logs/ are of. */
  readonly loggedAttempts = new LoggedAttempts();
  /** The programs in the job's directory, as the nodes have them. */
  readonly programs = new ProgramVersions();
  /** All nodes that could get work: their names, by the value of `-i` that finds them. */
  readonly nodes = new Map<string, Set<string>>();
  /** The allocations of clusters that may exist. */
  readonly pilots = new OpenPilots();
  private readonly leftoversByNode = new Map<string, Leftover>();

  apply(entry: JournalEntry): void {
    this.loggedAttempts.apply(entry);
    switch (entry.e) {
      case "run":
        this.header = entry;
        this.ids.push(entry.id);
        break;
      case "open":
        this.applyOpen(entry);
        break;
      case "adopt":
        this.ids.push(entry.id);
        break;
      case "nodes":
        this.applyNodes(entry);
        break;
      case "pilot":
        this.pilots.apply(entry);
        break;
      case "publishing":
        if (entry.chunk === undefined) this.combinedFiles.push(...entry.files);
        else this.pendingPublications.set(entry.chunk, entry.files);
        break;
      case "replacing":
        this.hasReplacedSources = true;
        break;
      case "done":
        this.pendingPublications.delete(entry.chunk);
        this.committedChunks++;
        if (entry.stopped) this.stoppedChunks++;
        this.stopRequests.delete(entry.chunk);
        this.committedUnits.add(BigInt(entry.start), BigInt(entry.end));
        this.resultsBytes = entry.length;
        if (entry.at !== undefined) this.extendSession(entry.at);
        break;
      case "stopping":
        this.stopRequests.add(entry.chunk);
        break;
      case "failed":
        this.failedChunks++;
        this.stopRequests.delete(entry.failure.chunk);
        break;
      case "cancelled":
        this.cancelledUnits.add(BigInt(entry.start), BigInt(entry.end));
        break;
      case "canary":
        this.recheckedChunks.add(entry.chunk);
        if (entry.differing !== undefined) this.recheckDifferences.push(entry.differing);
        break;
      case "node":
      case "slot":
      case "heal":
      case "tried":
      case "stopped":
      case "idle":
      case "notice":
        this.extendSession(entry.at);
        break;
      case "log":
        if (entry.at !== undefined) this.extendSession(entry.at);
        break;
      case "program":
        this.programs.record(entry);
        this.extendSession(entry.at);
        break;
      case "close":
        this.applyClose(entry);
        break;
      default:
        entry satisfies never;
    }
  }

  /** The units that nothing is left to do for: committed, or cancelled. */
  get settledUnits(): [start: bigint, end: bigint][] {
    return [...this.committedUnits, ...this.cancelledUnits];
  }

  get isComplete(): boolean {
    return this.closeEntry?.state === "complete";
  }

  /** The number of the session that a coordinator opens now. */
  get nextSession(): number {
    return (this.lastOpen?.session ?? 0) + 1;
  }

  /** When the first session began, ISO 8601; undefined while there is none. */
  get startedAt(): string | undefined {
    return this.sessions[0]?.began;
  }

  /** The names of all nodes that could get work, each once. */
  get nodeNames(): string[] {
    return [...new Set([...this.nodes.values()].flatMap((names) => [...names]))];
  }

  /** The nodes that may hold processes or files of the run: they could get work and were not cleaned since. */
  get leftovers(): Leftover[] {
    return [...this.leftoversByNode.values()];
  }

  /** Seconds at work up to the last record that has a time. */
  get secondsAtWork(): number {
    const last = this.sessions.at(-1);
    return last === undefined ? 0 : last.from + last.seconds;
  }

  /** Converts seconds since the current session began into seconds at work. */
  toSecondsAtWork(sessionSeconds: number): number {
    const last = this.sessions.at(-1);
    return last === undefined ? 0 : last.from + sessionSeconds;
  }

  /** Extends the last session to the time `timeMs` (milliseconds since the epoch). */
  extendSessionTo(timeMs: number): void {
    const last = this.sessions.at(-1);
    if (last !== undefined) this.extendSession((timeMs - Date.parse(last.began)) / 1000 || 0);
  }

  private applyOpen(entry: OpenEntry): void {
    this.sessions.push({ number: entry.session, began: entry.at, from: this.secondsAtWork, seconds: 0 });
    this.lastOpen = entry;
    this.closeEntry = undefined;
    this.failedChunks = 0;
    if (entry.nonce !== undefined) this.nonces.push(entry.nonce);
  }

  private applyNodes({ nodes, inventory, addresses = [] }: Extract<JournalEntry, { e: "nodes" }>): void {
    this.nodes.set(inventory, new Set([...(this.nodes.get(inventory) ?? []), ...nodes]));
    for (const [index, node] of nodes.entries()) this.addLeftover({ node, inventory, address: addresses[index] });
  }

  private applyClose(entry: CloseEntry): void {
    this.closeEntry = entry;
    if (entry.at !== undefined) this.extendSessionTo(Date.parse(entry.at));
    // Older journals do not list leftovers; every session but an interrupted one stopped all of its nodes.
    if (entry.leftovers === undefined && entry.state === "interrupted") return;
    this.leftoversByNode.clear();
    for (const one of entry.leftovers ?? []) this.addLeftover(one);
  }

  private addLeftover(one: Leftover): void {
    this.leftoversByNode.set(JSON.stringify([one.inventory, one.node]), one);
  }

  private extendSession(seconds: number): void {
    const last = this.sessions.at(-1);
    if (last !== undefined) last.seconds = Math.max(last.seconds, seconds);
  }
}

/** Sees each record of a journal after it was applied to `replay`. */
export type EntryVisitor = (entry: JournalEntry, replay: RunReplay) => void;

/** Replays the journal in the run directory `path` without changing it. Throws JOURNAL_DAMAGED, or the error of the file system. */
export function replayRun(path: string, visit?: EntryVisitor): RunReplay {
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "r");
  try {
    return replayJournal(fd, file, visit);
  } finally {
    closeSync(fd);
  }
}

/** Replays the journal in the open file `fd`; `file` is its path for error messages. Throws JOURNAL_DAMAGED. */
export function replayJournal(fd: number, file: string, visit?: EntryVisitor): RunReplay {
  const replay = new RunReplay();
  readEntries<JournalEntry>(fd, file, (entry) => {
    replay.apply(entry);
    visit?.(entry, replay);
  });
  return replay;
}

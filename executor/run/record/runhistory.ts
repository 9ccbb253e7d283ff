import { closeSync, createReadStream, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Failure } from "../../schedule/events.js";
import type { JournalEntry } from "./journalentry.js";
import { type RunReplay, type RunSession, replayJournal } from "./replay.js";
import { type RunStatus, readStatus } from "./runstatus.js";
import { type RunSummary, readSummary } from "./runsummary.js";

/**
 * What a run did, read from its run directory alone. Times are seconds at work: they count from the beginning of the first session and
 * leave out the time between sessions.
 */
export interface RunHistory {
  status: RunStatus;
  /** Of all sessions together. */
  seconds: number;
  sessions: RunSession[];
  /** The executions whose results are committed, in the order of their commits. */
  executions: ChunkExecution[];
  failedAttempts: (JournalEntry & { e: "tried" })[];
  nodeEntries: (JournalEntry & { e: "node" })[];
  slotEntries: (JournalEntry & { e: "slot" })[];
  /** Chunks that failed for good in the last session. */
  failures: Failure[];
  /** The summary of the last session, if that has ended. */
  summary: RunSummary | undefined;
  /** What the run directory lacks, one sentence each. */
  missing: string[];
}

/** One execution of a chunk. `end`: when its result was committed. */
export interface ChunkExecution {
  chunk: string;
  node: string;
  slot: number;
  /** Which attempt at the chunk it was, from 1. */
  attempt: number;
  units: bigint;
  seconds: number;
  end: number;
}

const NO_COMMIT_TIMES =
  "when chunks ended was not written down: they stand one after another, in the order in which they ended";
const NO_EVENT_LOG =
  "an older muster wrote this journal: failed attempts, and nodes and slots that were lost for a while, are not in it";

/**
 * Reads the history of the run of a job in the directory `path`, without changing anything. Rejects with JOURNAL_DAMAGED (65), or with
 * the error of the file system.
 */
export async function readRunHistory(path: string, nowMs: number): Promise<RunHistory> {
  const { status, replay, timeline } = readJournal(path, nowMs);
  if (status.state === "running") replay.extendSessionTo(nowMs);
  const { sessions, resultsBytes, closeEntry } = replay;
  const { commits, failedAttempts, nodeEntries, slotEntries, failures, hasCommitTimes } = timeline;
  const executions = await readExecutions(join(path, "results.ndjson"), commits, resultsBytes);
  const missing: string[] = [];
  if (!hasCommitTimes && executions.length > 0) missing.push(NO_COMMIT_TIMES);
  if (nodeEntries.length === 0 && executions.length > 0) missing.push(NO_EVENT_LOG);
  const lostCount = commits.size - executions.length;
  if (lostCount > 0) missing.push(`results.ndjson lacks ${lostCount} of the chunks that the journal has`);
  return {
    status,
    seconds: replay.secondsAtWork,
    sessions,
    executions: hasCommitTimes ? executions : placeConsecutively(executions),
    failedAttempts,
    nodeEntries,
    slotEntries,
    failures,
    summary: closeEntry === undefined ? undefined : readSummary(path),
    missing,
  };
}

/** Replays the journal once, for the status and for the timeline. */
function readJournal(path: string, nowMs: number): { status: RunStatus; replay: RunReplay; timeline: RunTimeline } {
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "r");
  const timeline = new RunTimeline();
  let replay: RunReplay | undefined;
  const replayOnce = () => {
    replay ??= replayJournal(fd, file, (entry, state) => timeline.add(entry, state));
    return replay;
  };
  try {
    const status = readStatus(path, fd, nowMs, replayOnce);
    return { status, replay: replayOnce(), timeline };
  } finally {
    closeSync(fd);
  }
}

/** The commit of a chunk: its position among all commits, when it happened (seconds at work), and how many units it has. */
interface CommitRecord {
  index: number;
  end: number;
  units: bigint;
}

/** The records of a journal that a report shows one by one, with their times converted to seconds at work. */
class RunTimeline {
  readonly commits = new Map<string, CommitRecord>();
  readonly failedAttempts: RunHistory["failedAttempts"] = [];
  readonly nodeEntries: RunHistory["nodeEntries"] = [];
  readonly slotEntries: RunHistory["slotEntries"] = [];
  /** Of the last session. */
  failures: Failure[] = [];
  hasCommitTimes = false;

  /** Adds a record that `replay` has applied. */
  add(entry: JournalEntry, replay: RunReplay): void {
    switch (entry.e) {
      case "open":
        this.failures = [];
        break;
      case "done": {
        if (entry.at !== undefined) this.hasCommitTimes = true;
        const end = entry.at === undefined ? replay.secondsAtWork : replay.toSecondsAtWork(entry.at);
        const units = BigInt(entry.end) - BigInt(entry.start);
        this.commits.set(entry.chunk, { index: this.commits.size, end, units });
        break;
      }
      case "failed":
        this.failures.push(entry.failure);
        break;
      case "node":
        this.nodeEntries.push({ ...entry, at: replay.toSecondsAtWork(entry.at) });
        break;
      case "slot":
        this.slotEntries.push({ ...entry, at: replay.toSecondsAtWork(entry.at) });
        break;
      case "tried":
        this.failedAttempts.push({ ...entry, at: replay.toSecondsAtWork(entry.at) });
        break;
      case "run":
      case "adopt":
      case "nodes":
      case "canary":
      case "program":
      case "publishing":
      case "replacing":
      case "stopped":
      case "close":
        break;
      default:
        entry satisfies never;
    }
  }
}

/** Reads the committed part of results.ndjson. Returns the executions in the order of their commits. */
async function readExecutions(
  file: string,
  commits: Map<string, CommitRecord>,
  committedBytes: number,
): Promise<ChunkExecution[]> {
  if (committedBytes === 0 || !existsSync(file)) return [];
  const executions: ChunkExecution[] = [];
  const lines = createInterface({
    input: createReadStream(file, { end: committedBytes - 1 }),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  for await (const line of lines) {
    const head = parseLineHead(line);
    const commit = head && commits.get(head.chunk);
    if (head === undefined || commit === undefined) continue;
    const { chunk, node, slot, attempt, seconds } = head;
    executions[commit.index] = { chunk, node, slot, attempt, seconds, units: commit.units, end: commit.end };
  }
  return executions.filter((one) => one !== undefined);
}

/** Parses a line without its output, which may be large. Returns undefined if it is not a result line. */
function parseLineHead(line: string): Omit<ChunkExecution, "units" | "end"> | undefined {
  const at = line.indexOf(',"output":');
  try {
    return JSON.parse(at < 0 ? line : `${line.slice(0, at)}}`);
  } catch {
    return undefined;
  }
}

/** Dates executions whose commit times are unknown: on each slot, one begins when the previous one ends. */
function placeConsecutively(executions: ChunkExecution[]): ChunkExecution[] {
  const ends = new Map<string, number>();
  return executions.map((one) => {
    const key = `${one.node}/${one.slot}`;
    const end = (ends.get(key) ?? 0) + one.seconds;
    ends.set(key, end);
    return { ...one, end };
  });
}

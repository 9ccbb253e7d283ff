import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Failure } from "../../schedule/events.js";
import type { JournalEntry } from "./journalentry.js";
import { type RunReplay, type RunSession, replayRun } from "./replay.js";
import { type RunStatus, readRunStatus } from "./runstatus.js";
import { type RunSummary, readSummary } from "./runsummary.js";

/**
 * What a run did, as its directory alone says. Times are seconds at work: from the beginning of its first session, without the time
 * between sessions.
 */
export interface RunHistory {
  status: RunStatus;
  /** Of all sessions together. */
  seconds: number;
  sessions: RunSession[];
  /** Whose results are committed, in the order of that. */
  executions: ChunkExecution[];
  /** Attempts that failed. */
  failedAttempts: (JournalEntry & { e: "tried" })[];
  nodeEntries: (JournalEntry & { e: "node" })[];
  slotEntries: (JournalEntry & { e: "slot" })[];
  /** Chunks that failed for good, in the last session. */
  failures: Failure[];
  /** Of the last session, where that has come to an end. */
  summary: RunSummary | undefined;
  /** What the directory does not have, a sentence each. */
  missing: string[];
}

/** One execution of a chunk; `end`: when its result was safe. */
export interface ChunkExecution {
  chunk: string;
  node: string;
  slot: number;
  /** Which try of the chunk it was, from 1. */
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
 * Reads the history of the run (of a job) in the directory `path`; nothing is changed. `now` is milliseconds since the epoch. Throws
 * JOURNAL_DAMAGED, or the error of the file system.
 */
export async function readRunHistory(path: string, now: number): Promise<RunHistory> {
  const status = readRunStatus(path, now);
  const timeline = new RunTimeline();
  const replay = replayRun(path, (entry, state) => timeline.add(entry, state));
  if (status.state === "running") replay.extendSessionTo(now);
  const { sessions, resultsBytes, closeEntry } = replay;
  const { commits, failedAttempts, nodeEntries, slotEntries, failures, hasCommitTimes } = timeline;
  const executions = await readExecutions(join(path, "results.ndjson"), commits, resultsBytes);
  const missing: string[] = [];
  if (!hasCommitTimes && executions.length > 0) missing.push(NO_COMMIT_TIMES);
  if (nodeEntries.length === 0 && executions.length > 0) missing.push(NO_EVENT_LOG);
  const lost = commits.size - executions.length;
  if (lost > 0) missing.push(`results.ndjson lacks ${lost} of the chunks that the journal has`);
  return {
    status,
    seconds: sessions.reduce((sum, one) => sum + one.seconds, 0),
    sessions,
    executions: hasCommitTimes ? executions : placeConsecutively(executions, sessions),
    failedAttempts,
    nodeEntries,
    slotEntries,
    failures,
    summary: closeEntry === undefined ? undefined : readSummary(path),
    missing,
  };
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
      case "close":
        break;
      default:
        entry satisfies never;
    }
  }
}

/** The executions whose results are committed, in that order. */
async function readExecutions(
  file: string,
  commits: Map<string, CommitRecord>,
  length: number,
): Promise<ChunkExecution[]> {
  if (length === 0 || !existsSync(file)) return [];
  const executions: ChunkExecution[] = [];
  const lines = createInterface({
    input: createReadStream(file, { end: length - 1 }),
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

/** A line without its output, which may be large; undefined where it is no line of ours. */
function parseLineHead(line: string): Omit<ChunkExecution, "units" | "end"> | undefined {
  const at = line.indexOf(',"output":');
  try {
    return JSON.parse(at < 0 ? line : `${line.slice(0, at)}}`);
  } catch {
    return undefined;
  }
}

/** Executions whose times are not known: on each slot one begins when the one before it ends. */
function placeConsecutively(executions: ChunkExecution[], sessions: RunSession[]): ChunkExecution[] {
  const ends = new Map<string, number>();
  const from = sessions[0]?.from ?? 0;
  return executions.map((one) => {
    const key = `${one.node}/${one.slot}`;
    const end = (ends.get(key) ?? from) + one.seconds;
    ends.set(key, end);
    return { ...one, end };
  });
}

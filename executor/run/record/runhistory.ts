import { closeSync, createReadStream, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Failure } from "../../schedule/events.js";
import { type JournalEntry, readEntries } from "./journal.js";
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

/** The work of one coordinator. `began`: ISO 8601. */
export interface RunSession {
  number: number;
  began: string;
  from: number;
  seconds: number;
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

/** Reads the history of the run (of a job) in the directory `path`; nothing is changed. `now`: milliseconds. Throws JOURNAL_DAMAGED. */
export async function readRunHistory(path: string, now: number): Promise<RunHistory> {
  const standing = readRunStatus(path, now);
  const gathered = new HistoryReplay();
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "r");
  try {
    readEntries<JournalEntry>(fd, file, (entry) => gathered.see(entry));
  } finally {
    closeSync(fd);
  }
  if (standing.state === "running") gathered.goesOn(now);
  const { sessions, tried, nodes, slots, failures, timed } = gathered;
  const executions = await readExecutions(join(path, "results.ndjson"), gathered);
  const missing: string[] = [];
  if (!timed && executions.length > 0) missing.push(NO_COMMIT_TIMES);
  if (nodes.length === 0 && executions.length > 0) missing.push(NO_EVENT_LOG);
  const lost = gathered.commits.size - executions.length;
  if (lost > 0) missing.push(`results.ndjson lacks ${lost} of the chunks that the journal has`);
  return {
    status: standing,
    seconds: sessions.reduce((sum, one) => sum + one.seconds, 0),
    sessions,
    executions: timed ? executions : placeConsecutively(executions, sessions),
    failedAttempts: tried,
    nodeEntries: nodes,
    slotEntries: slots,
    failures,
    summary: gathered.closed ? readSummary(path) : undefined,
    missing,
  };
}

/** When a chunk was committed, as the how manyth, and its units. */
interface CommitRecord {
  index: number;
  end: number;
  units: bigint;
}

/** What the journal has, record by record. */
class HistoryReplay {
  readonly sessions: RunSession[] = [];
  readonly commits = new Map<string, CommitRecord>();
  readonly tried: RunHistory["failedAttempts"] = [];
  readonly nodes: RunHistory["nodeEntries"] = [];
  readonly slots: RunHistory["slotEntries"] = [];
  failures: Failure[] = [];
  timed = false;
  /** Whether the last session has come to its end. */
  closed = false;
  /** Bytes of results.ndjson that count. */
  length = 0;

  see(entry: JournalEntry): void {
    switch (entry.e) {
      case "open": {
        const last = this.sessions.at(-1);
        const from = last === undefined ? 0 : last.from + last.seconds;
        this.sessions.push({ number: entry.session, began: entry.at, from, seconds: 0 });
        this.failures = [];
        this.closed = false;
        break;
      }
      case "done": {
        if (entry.at !== undefined) this.timed = true;
        const end = entry.at === undefined ? this.now : this.at(entry.at);
        this.commits.set(entry.chunk, {
          index: this.commits.size,
          end,
          units: BigInt(entry.end) - BigInt(entry.start),
        });
        this.length = entry.length;
        break;
      }
      case "failed":
        this.failures.push(entry.failure);
        break;
      case "node":
        this.nodes.push({ ...entry, at: this.at(entry.at) });
        break;
      case "slot":
        this.slots.push({ ...entry, at: this.at(entry.at) });
        break;
      case "tried":
        this.tried.push({ ...entry, at: this.at(entry.at) });
        break;
      case "close":
        this.closed = true;
        if (entry.at !== undefined) this.goesOn(Date.parse(entry.at));
    }
  }

  /** The session goes on, or went on, until `time` (milliseconds). */
  goesOn(time: number): void {
    const last = this.sessions.at(-1);
    if (last !== undefined) last.seconds = Math.max(last.seconds, (time - Date.parse(last.began)) / 1000 || 0);
  }

  /** So many seconds of the session, as seconds at work. */
  private at(seconds: number): number {
    const last = this.sessions.at(-1);
    if (last === undefined) return 0;
    last.seconds = Math.max(last.seconds, seconds);
    return last.from + seconds;
  }

  private get now(): number {
    const last = this.sessions.at(-1);
    return last === undefined ? 0 : last.from + last.seconds;
  }
}

/** The executions whose results are committed, in that order. */
async function readExecutions(file: string, { commits, length }: HistoryReplay): Promise<ChunkExecution[]> {
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

import { closeSync, createReadStream, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Failure } from "../../schedule/events.js";
import { type RunReplay, type RunSession, replayJournal } from "./replay.js";
import type { ResultLine } from "./resultlines.js";
import { type OpenAttempt, readRunningAttempts } from "./runningattempts.js";
import { type RunStatus, readStatus } from "./runstatus.js";
import { findHaltingFailures, type RunSummary, readSummary } from "./runsummary.js";
import {
  type CommitRecord,
  type FailedAttempt,
  type HealEntry,
  type IdleEntry,
  type NodeEntry,
  RunTimeline,
  type SlotEntry,
  type StoppedAttempt,
} from "./runtimeline.js";
import { type RunUsage, UsageSums } from "./usagesums.js";
import { convertToSecondsAtWork } from "./worktime.js";

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
  failedAttempts: FailedAttempt[];
  /** Attempts that ran, and have neither a result nor a failure. */
  stoppedAttempts: StoppedAttempt[];
  /** The chunks that were stopped on request before they ran. */
  unstartedStops: string[];
  /** Attempts that run now, or ran when the coordinator was killed. */
  openAttempts: OpenAttempt[];
  nodeEntries: NodeEntry[];
  slotEntries: SlotEntry[];
  /** What healing did to nodes. */
  healEntries: HealEntry[];
  idleEntries: IdleEntry[];
  /** What GPUs used for the results of all sessions; undefined = there are no samples. */
  usage: RunUsage | undefined;
  /** Chunks that used up their tries in the last session. */
  failures: Failure[];
  /** The summary of the last session, if that has ended. */
  summary: RunSummary | undefined;
  /** What the run directory lacks, one sentence each. */
  missing: string[];
}

/** One execution of a chunk. `from` and `end`: when its program ran; in older journals, `end` is when its result was committed. */
export interface ChunkExecution {
  chunk: string;
  node: string;
  slot: number;
  /** All slots that it had: those of its GPUs where it had several. */
  slots: readonly number[];
  /** Which attempt at the chunk it was, from 1. */
  attempt: number;
  units: bigint;
  seconds: number;
  from: number;
  end: number;
  /** It was stopped on request. */
  isStopped?: true;
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
  const { commits, failedAttempts, nodeEntries, slotEntries, healEntries, idleEntries, failures, hasCommitTimes } =
    timeline;
  const usage = new UsageSums();
  const unstartedStops: string[] = [];
  const executions = await readExecutions(join(path, "results.ndjson"), commits, resultsBytes, sessions, {
    usage,
    unstartedStops,
  });
  const missing: string[] = [];
  if (!hasCommitTimes && executions.length > 0) missing.push(NO_COMMIT_TIMES);
  if (nodeEntries.length === 0 && executions.length > 0) missing.push(NO_EVENT_LOG);
  const lostCount = commits.size - executions.length - unstartedStops.length;
  if (lostCount > 0) missing.push(`results.ndjson lacks ${lostCount} of the chunks that the journal has`);
  const summary = closeEntry === undefined ? undefined : readSummary(path);
  return {
    status,
    seconds: replay.secondsAtWork,
    sessions,
    executions: hasCommitTimes ? executions : placeConsecutively(executions),
    failedAttempts,
    stoppedAttempts: removeFinished(timeline.stoppedAttempts, executions, failedAttempts),
    unstartedStops,
    openAttempts: closeEntry === undefined ? readRunningAttempts(path, sessions) : [],
    nodeEntries,
    slotEntries,
    healEntries,
    idleEntries,
    usage: usage.summarize(
      (node) => nodeEntries.findLast((one) => one.node === node && one.price !== undefined)?.price,
    ),
    failures: [...failures, ...findHaltingFailures(summary, failures)],
    summary,
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

/**
 * Reads the committed part of results.ndjson. Returns the executions in the order of their commits, and adds what they used of GPUs to `usage`,
 * and chunks that were stopped before they ran to `unstartedStops`.
 */
async function readExecutions(
  file: string,
  commits: Map<string, CommitRecord>,
  committedBytes: number,
  sessions: readonly RunSession[],
  { usage, unstartedStops }: { usage: UsageSums; unstartedStops: string[] },
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
    const { chunk, node, slot, gpus, attempt, seconds, stopped } = head;
    if (slot < 0) {
      unstartedStops.push(chunk);
      continue;
    }
    const { units, end, endEpochSeconds } = commit;
    usage.add({ ...head, units });
    const from =
      endEpochSeconds === undefined ? end - seconds : convertToSecondsAtWork(sessions, endEpochSeconds - seconds);
    const begin = Math.max(0, Math.min(from, end));
    // Several GPUs are whole ones, and the first slot of each has its index. A share of one may be a further slot.
    const slots = gpus !== undefined && gpus.length > 1 ? gpus : [slot];
    const times = { seconds, units, from: begin, end };
    executions[commit.index] = { chunk, node, slot, slots, attempt, ...times, ...(stopped ? { isStopped: true } : {}) };
  }
  return executions.filter((one) => one !== undefined);
}

/** Parses a line without its output, which may be large. Returns undefined if it is not a result line. */
function parseLineHead(line: string): Omit<ResultLine, "sha256" | "output"> | undefined {
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
    const from = ends.get(key) ?? 0;
    const end = from + one.seconds;
    ends.set(key, end);
    return { ...one, from, end };
  });
}

/**
 * Leaves out attempts whose end a later record has: they continued while no coordinator could be reached. Those that were preempted did not:
 * an attempt of the same number followed them.
 */
function removeFinished(
  stopped: StoppedAttempt[],
  executions: readonly ChunkExecution[],
  failed: readonly FailedAttempt[],
): StoppedAttempt[] {
  if (stopped.length === 0) return stopped;
  const ids = new Set(stopped.map(identifyAttempt));
  const finished = new Set<string>();
  for (const one of [...executions, ...failed]) {
    const id = identifyAttempt(one);
    if (ids.has(id)) finished.add(id);
  }
  return stopped.filter((one) => one.why === "preempted" || !finished.has(identifyAttempt(one)));
}

function identifyAttempt({ chunk, node, slot, attempt }: Omit<OpenAttempt, "from">): string {
  return JSON.stringify([chunk, node, slot, attempt]);
}

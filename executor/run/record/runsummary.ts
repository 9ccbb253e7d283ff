import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MusterError } from "../../../schemas/errors.js";
import { writeFileAtomic } from "../../../schemas/filewrites.js";
import type { Job } from "../../job/job.js";
import type { Failure, HaltReason } from "../../schedule/events.js";
import type { FailureGroup } from "../../schedule/halting/failuregroups.js";
import type { ChunkOverhead } from "../../schedule/rates/chunkoverhead.js";
import { failpoint } from "../failpoint.js";
import type { RunEnd } from "../runend.js";
import type { ChunkOutcomes } from "./chunkoutcomes.js";
import type { RunCounters } from "./counters.js";
import type { NodeConnectionState, RecheckDifference } from "./journalentry.js";
import type { Leftover } from "./leftovers.js";
import type { RunUsage } from "./usagesums.js";

/** The outcome of a run: the content of summary.json, and what `--json` prints. Its keys are never renamed. */
export interface RunSummary {
  name: string;
  state: RunEnd["state"] | "cancelled";
  directory: string;
  /** The folder that results are published in; absent where that is the run directory. */
  results?: string;
  /** The file in the run directory that has the values of all results; absent where there is none. */
  aggregate?: string;
  chunks: ChunkOutcomes;
  /** In decimal, because they may exceed 2^53. */
  units: { done: string; total: string };
  /** Of a job with `enough` that has ended: the units that it requires, in decimal, and whether they are done. */
  enough?: { required: string; reached: boolean };
  /** The last session, the `number`th. `dropped`: attempts whose results were not taken, because another attempt did the chunk.
   * `discardedSeconds`: how long those ran; absent if none did. `running`: attempts that were under way at its end; absent in older
   * summaries. */
  session: SessionSummary;
  /** The prediction for this session; absent if not all rates were known. `isGuess`: by rates of the inventory. `isWorkOnly`:
   * without the start-up of nodes, which no run had measured. */
  planned?: { chunks: number; seconds: number; isGuess?: true; isWorkOnly?: true };
  /** What chunks cost beside their work, if the job's `chunk` makes that more than a tenth of it. */
  overhead?: ChunkOverhead;
  /** Attempts of this session whose logs were cut because they grew too long. */
  cutLogs: number;
  /** Tasks that the `ask` program wanted to add in this session, and that were refused; absent if there are none. */
  refusedTasks?: number;
  /** Of a queue that has closed by itself: for how many seconds it had no work; absent otherwise. */
  idleClose?: { seconds: number };
  /** Rechecks, if the job asks for them: `compared` in all sessions, `unchecked` chunks that could not be rechecked in this one. */
  canary?: { compared: number; unchecked: number; differing: RecheckDifference[] };
  nodes: NodeSummary[];
  /** What GPUs used for the results of this session: in all, by node and by card; absent where there are no samples. */
  usage?: RunUsage;
  /** The first hundred chunks that failed. */
  failures: Failure[];
  /** All failed chunks by cause, if `failures` lacks some of them. */
  failureGroups?: FailureGroup[];
  /** Why the run stopped although work was left, if it did. */
  halt?: HaltReason;
  /** Which keys of the job copy to nodes what failed attempts of this session lacked; absent if nothing is known. */
  hints?: string[];
  /** The nodes that may still hold processes or files of the run; absent in older summaries. */
  leftovers?: Leftover[];
  /** The pilots that wait or run for the next session, as CLUSTER/ID; absent if there are none. */
  pilots?: string[];
  error?: string;
  /** What to do about the error, or about what stopped the run. */
  next?: string;
}

export interface SessionSummary {
  number: number;
  chunks: number;
  attempts: number;
  dropped: number;
  discardedSeconds?: number;
  seconds: number;
  running?: number;
}

export interface NodeSummary {
  node: string;
  state: NodeConnectionState | "left out";
  slots: number;
  chunks: number;
  units: string;
  failedAttempts: number;
  /** The prediction for this node. */
  planned?: { chunks: number; units: string };
  reason?: string;
  /** How often it was healed in this session, and how often that failed; absent if never. */
  healings?: { healed: number; failed: number };
  /** Slots that were disabled in this session. `back`: enabled again since; `reboot`: still sick, so the node needs a reboot. */
  takenOut?: { slot: number; reason: string; back: boolean; reboot?: true }[];
}

/** A node that may not work on this job, and why. */
export interface ExcludedNode {
  node: string;
  reason: string;
}

/** What a summary says of a node that took part. */
interface Participant {
  node: { name: string; pricePerKwh?: number };
  state: NodeConnectionState;
  reason: string | undefined;
  slots: unknown[];
}

/** Builds the summary of a session from its counters. */
export function summarize(
  directory: string,
  counters: RunCounters,
  workers: Participant[],
  excluded: ExcludedNode[],
  end: RunEnd,
): RunSummary {
  return {
    name: counters.job.name,
    state: end.state,
    directory,
    chunks: counters.outcomes,
    units: { done: `${counters.units}`, total: `${counters.job.units}` },
    ...judgeEnough(counters, end),
    session: {
      number: counters.session,
      chunks: counters.sessionChunks,
      attempts: counters.attempts,
      dropped: counters.dropped,
      ...(counters.discardedSeconds > 0 ? { discardedSeconds: Number(counters.discardedSeconds.toFixed(3)) } : {}),
      seconds: Number(counters.seconds.toFixed(3)),
    },
    cutLogs: counters.cutLogs,
    ...describeIdleClose(counters.job),
    ...(counters.refusedTasks === 0 ? {} : { refusedTasks: counters.refusedTasks }),
    ...(counters.job.recheck === undefined ? {} : { canary: summarizeRechecks(counters) }),
    nodes: [
      ...workers.map((worker) => summarizeNode(worker, counters)),
      ...excluded.map(({ node, reason }) => ({ ...emptyNodeSummary(node), state: "left out" as const, reason })),
    ],
    ...summarizeUsage(counters, workers),
    failures: counters.failures,
    ...(counters.failed > counters.failures.length ? { failureGroups: counters.failureGroups.all } : {}),
    ...(counters.hints.length === 0 ? {} : { hints: counters.hints }),
    ...(end.state === "halted" ? { halt: end.halt, next: adviseOnHalt(end.halt, counters.chunks) } : {}),
    ...(end.state === "broken" || end.state === "superseded" ? summarizeError(end.error) : {}),
  };
}

/** Returns the failures that halted a run, without those of chunks that are among `failures`. */
export function findHaltingFailures(summary: RunSummary | undefined, failures: readonly Failure[]): Failure[] {
  return (summary?.halt?.failures ?? []).filter((one) => failures.every(({ chunk }) => chunk !== one.chunk));
}

/** Replaces summary.json atomically. */
export function writeSummary(summary: RunSummary): void {
  writeFileAtomic(join(summary.directory, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
  failpoint("summarized");
}

/** Returns the summary in a run directory; undefined if there is none, or if summary.json holds something else. */
export function readSummary(path: string): RunSummary | undefined {
  try {
    const summary = JSON.parse(readFileSync(join(path, "summary.json"), "utf8")) as RunSummary;
    return typeof summary.state === "string" && Array.isArray(summary.nodes) ? summary : undefined;
  } catch {
    return undefined;
  }
}

/** Marks the summary in a run directory as cancelled, if there is one. */
export function markCancelled(directory: string): void {
  amendSummary(directory, { state: "cancelled" });
}

/** Changes fields of the summary in a run directory, if there is one. */
export function amendSummary(directory: string, change: Partial<Pick<RunSummary, "state" | "leftovers">>): void {
  const file = join(directory, "summary.json");
  if (existsSync(file)) writeSummary({ ...JSON.parse(readFileSync(file, "utf8")), directory, ...change });
}

/** Sets the numbers of committed chunks and units in the summary in a run directory, if there is one. */
export function countInSummary(directory: string, chunks: number, units: bigint): void {
  const summary = readSummary(directory);
  if (summary === undefined) return;
  writeSummary({
    ...summary,
    directory,
    chunks: { ...summary.chunks, done: chunks },
    units: { ...summary.units, done: `${units}` },
  });
}

/** Judges a job only once all of its chunks have ended. Results that differ are never enough. */
function judgeEnough({ job, units, recheckDifferences }: RunCounters, { state }: RunEnd): Pick<RunSummary, "enough"> {
  if (job.enough === undefined || (state !== "complete" && state !== "partial")) return {};
  return { enough: { required: `${job.enough}`, reached: units >= job.enough && recheckDifferences.length === 0 } };
}

/** A run keeps the project's files as they were when it began, so that a corrected program needs a new run where some work is done. */
function adviseOnHalt({ rule }: HaltReason, committedChunks: number): string {
  const regardless =
    rule === undefined
      ? ""
      : ` To continue regardless, ${rule === "alike" ? "set `halt: {alike: 0}` in the job (muster map: --halt never)" : "change `halt.failures` of the job (muster map: --halt)"}.`;
  if (committedChunks === 0) return `Correct the cause, and run the same command again: it starts over.${regardless}`;
  return `Correct the cause. If it is in the job's files, start a new run with --fresh; otherwise run the same command again to resume.${regardless}`;
}

function describeIdleClose({ queue }: Job): Pick<RunSummary, "idleClose"> {
  const { closedBy, idleSeconds } = queue ?? {};
  return closedBy === undefined || idleSeconds === undefined ? {} : { idleClose: { seconds: idleSeconds } };
}

function summarizeUsage({ usage }: RunCounters, workers: Participant[]): Pick<RunSummary, "usage"> {
  const prices = new Map(workers.map(({ node: { name, pricePerKwh } }) => [name, pricePerKwh]));
  const used = usage.summarize((node) => prices.get(node));
  return used === undefined ? {} : { usage: used };
}

function summarizeRechecks({ rechecked, skippedRechecks, recheckDifferences }: RunCounters): RunSummary["canary"] {
  return { compared: rechecked, unchecked: skippedRechecks, differing: recheckDifferences };
}

function summarizeError(error: unknown): { error: string; next?: string } {
  if (error instanceof MusterError) return { error: error.message, next: error.next };
  return { error: error instanceof Error ? error.message : String(error) };
}

function summarizeNode({ node: { name }, state, reason, slots }: Participant, counters: RunCounters): NodeSummary {
  const { chunks, units, failedAttempts, healings, disabledSlots } = counters.forNode(name);
  const takenOut = disabledSlots.size === 0 ? undefined : [...disabledSlots].map(([slot, how]) => ({ slot, ...how }));
  const done = { chunks, units: `${units}`, failedAttempts };
  const healed = healings.healed + healings.failed > 0 ? { healings } : {};
  return { node: name, state, slots: slots.length, ...done, ...healed, reason, takenOut };
}

function emptyNodeSummary(node: string): Omit<NodeSummary, "state"> {
  return { node, slots: 0, chunks: 0, units: "0", failedAttempts: 0 };
}

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MusterError } from "../../../schemas/errors.js";
import type { Failure } from "../../schedule/events.js";
import { failpoint } from "../failpoint.js";
import type { NodeWorker } from "../node/nodeworker.js";
import type { RunEnd } from "../runend.js";
import type { RunCounters } from "./counters.js";
import type { NodeConnectionState, RecheckDifference } from "./journalentry.js";
import type { Leftover } from "./leftovers.js";

/** What became of a run: summary.json, and what `--json` prints. Seconds and units (in decimal, for they may be large). */
export interface RunSummary {
  name: string;
  state: RunEnd["state"] | "cancelled";
  directory: string;
  chunks: { done: number; failed: number };
  units: { done: string; total: string };
  /** Of this session alone, the `number`th. `dropped`: attempts whose chunk another has or had, so that their results were not taken. */
  session: { number: number; chunks: number; attempts: number; dropped: number; seconds: number };
  /** What was expected of this session before it, where all rates were known. */
  planned?: { chunks: number; seconds: number };
  /** Attempts of this session whose logs grew too long and were cut. */
  cutLogs: number;
  /** Chunks that were computed again and compared, where the job has `canary`; `unchecked` could not be, in this session. */
  canary?: { compared: number; unchecked: number; differing: RecheckDifference[] };
  nodes: NodeSummary[];
  /** The first hundred chunks that failed. */
  failures: Failure[];
  /** The nodes that may still hold processes or files of the run; older summaries do not say. */
  leftovers?: Leftover[];
  error?: string;
  /** What to do about it. */
  next?: string;
}

export interface NodeSummary {
  node: string;
  state: NodeConnectionState | "left out";
  slots: number;
  chunks: number;
  units: string;
  failedAttempts: number;
  /** What was expected of it. */
  planned?: { chunks: number; units: string };
  reason?: string;
  /** Slots that were taken out in this session, and why; `back`: they turned out to be well; `reboot`: they stayed sick. */
  takenOut?: { slot: number; reason: string; back: boolean; reboot?: true }[];
}

/** A node that gets no work of this job, and why. */
export interface ExcludedNode {
  node: string;
  reason: string;
}

export function summarize(
  directory: string,
  tally: RunCounters,
  members: NodeWorker[],
  leftOut: ExcludedNode[],
  ended: RunEnd,
): RunSummary {
  return {
    name: tally.job.name,
    state: ended.state,
    directory,
    chunks: { done: tally.chunks, failed: tally.failed },
    units: { done: `${tally.units}`, total: `${tally.job.units}` },
    session: {
      number: tally.session,
      chunks: tally.sessionChunks,
      attempts: tally.attempts,
      dropped: tally.dropped,
      seconds: Number(tally.seconds.toFixed(3)),
    },
    cutLogs: tally.cutLogs,
    ...(tally.job.recheck === undefined ? {} : { canary: summarizeRechecks(tally) }),
    nodes: [
      ...members.map((member) => summarizeNode(member, tally)),
      ...leftOut.map(({ node, reason }) => ({ ...emptyNodeSummary(node), state: "left out" as const, reason })),
    ],
    failures: tally.failures,
    ...(ended.state === "broken" || ended.state === "superseded" ? summarizeError(ended.error) : {}),
  };
}

/** Replaces summary.json in one step. */
export function writeSummary(summary: RunSummary): void {
  const file = join(summary.directory, "summary.json");
  writeFileSync(`${file}.partial`, `${JSON.stringify(summary, null, 2)}\n`);
  failpoint("summarized");
  renameSync(`${file}.partial`, file);
}

/** The summary in a run directory; undefined where there is none, or what is there is something else. */
export function readSummary(path: string): RunSummary | undefined {
  try {
    const summary = JSON.parse(readFileSync(join(path, "summary.json"), "utf8")) as RunSummary;
    return typeof summary.state === "string" && Array.isArray(summary.nodes) ? summary : undefined;
  } catch {
    return undefined;
  }
}

/** Says in the summary of a run that has not come to its end that it will not go on by itself. */
export function markCancelled(directory: string): void {
  amendSummary(directory, { state: "cancelled" });
}

/** Replaces some of what the summary in a run directory says, where there is one. */
export function amendSummary(directory: string, change: Partial<Pick<RunSummary, "state" | "leftovers">>): void {
  const file = join(directory, "summary.json");
  if (existsSync(file)) writeSummary({ ...JSON.parse(readFileSync(file, "utf8")), directory, ...change });
}

function summarizeRechecks({
  rechecked: checked,
  skippedRechecks: unchecked,
  recheckDifferences: differing,
}: RunCounters): RunSummary["canary"] {
  return { compared: checked, unchecked, differing };
}

function summarizeError(error: unknown): { error: string; next?: string } {
  if (error instanceof MusterError) return { error: error.message, next: error.next };
  return { error: error instanceof Error ? error.message : String(error) };
}

function summarizeNode(member: NodeWorker, tally: RunCounters): NodeSummary {
  const { chunks, units, failedAttempts, disabledSlots: out } = tally.forNode(member.node.name);
  const { state, reason, slots } = member;
  const takenOut = out.size === 0 ? undefined : [...out].map(([slot, how]) => ({ slot, ...how }));
  const done = { chunks, units: `${units}`, failedAttempts };
  return { node: member.node.name, state, slots: slots.length, ...done, reason, takenOut };
}

function emptyNodeSummary(node: string): Omit<NodeSummary, "state"> {
  return { node, slots: 0, chunks: 0, units: "0", failedAttempts: 0 };
}

import { relative } from "node:path";
import type { RecheckDifference } from "../executor/run/record/journalentry.js";
import type { Leftover } from "../executor/run/record/leftovers.js";
import { MAX_LOG_BYTES } from "../executor/run/record/rundir.js";
import { findHaltingFailures, type NodeSummary, type RunSummary } from "../executor/run/record/runsummary.js";
import { FailureGroups } from "../executor/schedule/halting/failuregroups.js";
import { formatSlots, groupByReason } from "../executor/schedule/slots/groupbyreason.js";
import { formatFailureGroups } from "./failuretext.js";
import { formatBytes, formatCount, formatDuration, pluralize, toPrintableText } from "./format.js";
import { formatLeftovers } from "./leftovertext.js";
import { formatSeconds } from "./livetext.js";
import { formatOtherOutcomes, formatRefusedTasks } from "./outcometext.js";
import { formatOverhead } from "./overheadtext.js";
import { foldEndedPilots } from "./pilottext.js";
import { comparePlanAndActual } from "./plancomparison.js";
import { formatRunUsage } from "./usagetext.js";

/** States in which the coordinator leaves running chunks on the nodes. */
const STATES_LEAVING_WORK: RunSummary["state"][] = ["interrupted", "stranded", "superseded", "broken"];

/** Further causes of failures are only counted. */
const MAX_LISTED_GROUPS = 10;

export interface SummaryOptions {
  /** The folder of results, absolute. */
  folder?: string | undefined;
  /** Whether `--fresh` created the run, so that the same command would create another one. */
  isFresh?: boolean;
}

/** Returns how to resume a run whose directory is `where`. */
export function formatResume(where: string, isFresh: boolean): string {
  return isFresh ? `to resume it, use --out ${where} instead of --fresh` : "run the same command again to resume";
}

/** Formats the result of a run. */
export function formatSummary(summary: RunSummary, already: boolean, options: SummaryOptions): string {
  const { folder, isFresh = false } = options;
  const { aggregate, chunks, session, name } = summary;
  const where = relative(process.cwd(), summary.directory) || ".";
  const lines: string[] = [];
  if (already)
    lines.push(`${name}: already complete, ${pluralize(chunks.done, "chunk")}${formatOtherOutcomes(chunks)}`);
  else {
    lines.push(
      `${name}: ${formatState(summary, formatResume(where, isFresh))}: ${formatChunks(summary)}, ${formatDuration(session.seconds)}`,
    );
    if (summary.state === "complete" && (summary.planned?.seconds ?? 0) > 0)
      lines.push(`  ${comparePlanAndActual(summary)}`);
    if (summary.overhead !== undefined) lines.push(`  ${formatOverhead(summary.overhead)}`);
    if (summary.halt !== undefined) lines.push(`    ${summary.halt.reason}`);
    if (summary.next !== undefined) lines.push(`    ${summary.next}`);
    const { shown, lines: folded } = foldEndedPilots(summary.nodes);
    lines.push(...shown.flatMap((node) => [formatNodeSummary(node), ...formatDisabledSlots(node)]));
    lines.push(...folded.map((line) => `  ${line}`));
    if (summary.usage !== undefined) lines.push(`  ${formatRunUsage(summary.usage)}`);
    if (summary.cutLogs > 0)
      lines.push(
        `  the output of ${pluralize(summary.cutLogs, "attempt")} was truncated to ${formatBytes(MAX_LOG_BYTES)} per log; the files in logs/ say where`,
      );
    if (summary.idleClose !== undefined)
      lines.push(`  its queue was closed, because it had no work for ${formatSeconds(summary.idleClose.seconds)}`);
    if (summary.refusedTasks !== undefined)
      lines.push(`  ask: ${formatRefusedTasks(summary.refusedTasks)}: see ${where}/ask.log`);
    if (session.dropped > 0)
      lines.push(
        `  ${pluralize(session.dropped, "superseded attempt")} stopped or discarded${formatDiscarded(session)}: another attempt has the chunk`,
      );
    lines.push(...formatRechecks(summary));
    lines.push(...formatFailures(summary, where));
    lines.push(...(summary.hints ?? []));
  }
  lines.push(...formatLeftovers(selectUnintendedLeftovers(summary), where));
  if (!already && STATES_LEAVING_WORK.includes(summary.state) && mayHaveWorkLeft(summary))
    lines.push(`running chunks continue on their nodes; to stop them: muster cancel ${where}`);
  if (chunks.done + (chunks.stopped ?? 0) > 0) {
    const folders = folder === undefined ? [] : [`${relative(process.cwd(), folder) || "."}/`];
    const files = [`${where}/results.ndjson`, ...(aggregate === undefined ? [] : [`${where}/${aggregate}`])];
    lines.push(`results: ${[...folders, ...files].join(", ")}`);
  }
  return toPrintableText(lines);
}

function formatDiscarded({ discardedSeconds = 0 }: RunSummary["session"]): string {
  return discardedSeconds === 0 ? "" : ` after ${formatDuration(discardedSeconds)} in all`;
}

/** Returns how many chunks are done and failed. */
function formatChunks(summary: RunSummary): string {
  const { chunks } = summary;
  if (hasOnlyFailures(summary))
    return chunks.failed === 1 ? "its only chunk" : `all ${pluralize(chunks.failed, "chunk")}`;
  return `${pluralize(chunks.done, "chunk")} done${formatOtherOutcomes(chunks)}`;
}

/** Whether every chunk was tried and none has a result. The state in JSON is `partial` then as well. */
export function hasOnlyFailures({ state, chunks }: Pick<RunSummary, "chunks"> & { state: string }): boolean {
  return state === "partial" && chunks.done === 0 && chunks.failed > 0 && !chunks.stopped;
}

/** Returns the lines about failed chunks, by cause. A summary without groups lists all failures. */
function formatFailures(summary: RunSummary, where: string): string[] {
  const listed = new FailureGroups([...summary.failures, ...findHaltingFailures(summary, summary.failures)]).all;
  const groups = summary.failureGroups ?? listed;
  const rest = groups.length - MAX_LISTED_GROUPS;
  const more = rest > 0 ? [`and ${pluralize(rest, "more cause")}: muster report -v ${where}`] : [];
  return [...formatFailureGroups(groups.slice(0, MAX_LISTED_GROUPS)).flat(), ...more];
}

/** Returns the leftovers that are not kept on purpose for the next session. */
function selectUnintendedLeftovers({ state, leftovers = [] }: RunSummary): Leftover[] {
  return STATES_LEAVING_WORK.includes(state) ? leftovers.filter(({ reason }) => reason !== undefined) : leftovers;
}

/** Returns whether a node may have work: this session has started some, or an earlier one may have left some. */
function mayHaveWorkLeft({ session, leftovers = [] }: RunSummary): boolean {
  const { running } = session;
  if (running === undefined) return session.number > 1 || session.attempts > 0;
  return running > 0 || (session.number > 1 && leftovers.length > 0);
}

/** Returns the lines about chunks that were computed a second time for comparison. */
function formatRechecks({ canary }: RunSummary): string[] {
  if (canary === undefined) return [];
  const { compared, unchecked, differing } = canary;
  const failed = unchecked === 0 ? "" : `, ${pluralize(unchecked, "chunk")} could not be compared`;
  const lines = differing.slice(0, 20).map(formatMismatch);
  const more = differing.length > 20 ? [`and ${formatCount(differing.length - 20)} more: see summary.json`] : [];
  return [
    `  ${pluralize(compared, "chunk")} computed twice, ${formatCount(differing.length)} with a different result${failed}`,
    ...lines,
    ...more,
  ];
}

/** Returns a line about two results of one chunk that differ. */
export function formatMismatch({ chunk, first, second, what }: RecheckDifference): string {
  const [one, other] = [first, second].map(({ node, slot }) => `${node} slot ${slot}`);
  return `results differ: chunk ${chunk} on ${one} (kept) and on ${other}: ${what}`;
}

function formatNodeSummary(node: NodeSummary): string {
  const state = node.state === "live" ? "" : ` (${node.state}${node.reason === undefined ? "" : `: ${node.reason}`})`;
  const failed = node.failedAttempts === 0 ? "" : `, ${pluralize(node.failedAttempts, "failed attempt")}`;
  const planned =
    node.planned === undefined ? "" : `, ${formatUnits(node.units)} (planned ${formatUnits(node.planned.units)})`;
  return `  ${node.node}: ${pluralize(node.chunks, "chunk")}${planned}${failed}${state}`;
}

function formatUnits(units: string): string {
  return pluralize(BigInt(units), "unit");
}

/** Returns a line for each reason why slots are or were disabled: those that share a sick GPU have the same. */
function formatDisabledSlots({ node, takenOut = [] }: NodeSummary): string[] {
  const bySlot = [...takenOut].sort((a, b) => a.slot - b.slot);
  const texts = bySlot.map(({ slot, reason, back, reboot }) => {
    return { node, slot, back, reason: `${reason}${reboot && !back ? "; reboot the node" : ""}` };
  });
  const format = (slots: typeof texts, one: string, several: string) =>
    groupByReason(slots).map((group) => {
      return `    ${formatSlots(group.slots)} ${group.slots.length === 1 ? one : several}: ${group.reason}`;
    });
  return [
    ...format(
      texts.filter(({ back }) => !back),
      "is disabled",
      "are disabled",
    ),
    ...format(
      texts.filter(({ back }) => back),
      "was disabled for a while",
      "were disabled for a while",
    ),
  ];
}

/** Returns whether what is done is enough, for a job that says how much is. */
function formatEnough({ enough, units }: RunSummary): string {
  if (enough === undefined) return "";
  const share = `${units.done} of ${units.total} units, ${enough.required} required`;
  return enough.reached ? `, which is enough (${share})` : `, which is not enough (${share})`;
}

function formatState(summary: RunSummary, resume: string): string {
  switch (summary.state) {
    case "complete":
      return "complete";
    case "partial":
      return `${hasOnlyFailures(summary) ? "failed" : "partly done"}${formatEnough(summary)}`;
    case "interrupted":
      return `interrupted; ${resume}`;
    case "cancelled":
      return `cancelled; ${resume}`;
    case "halted":
      return "halted";
    case "stranded":
      return `no usable node is left; ${resume}`;
    case "superseded":
    case "broken":
      return `stopped: ${summary.error}`;
    default:
      return summary.state satisfies never;
  }
}

import type { ChunkExplanation } from "../executor/run/explainchunk.js";
import type { JudgedSlot } from "../executor/run/placementrules.js";
import { type ChunkAttempt, isContinuation } from "../executor/run/record/chunkattempts.js";
import { formatSlots, groupByReason } from "../executor/schedule/slots/groupbyreason.js";
import { formatLocalTime } from "../schemas/localtime.js";
import { formatDuration, formatRate, pluralize, toOneLine, toPrintableText } from "./format.js";
import { formatAttemptTime } from "./livetext.js";
import { formatPilots } from "./pilottext.js";

/** An attempt with the last lines that it has printed. */
export type ShownAttempt = ChunkAttempt & { lines: readonly string[] };

/** Formats everything that is known about a chunk. `nowMs`: Unix time. */
export function formatExplanation(
  { run, chunk, state, runState, failure, slots, pilots, jobError }: Omit<ChunkExplanation, "attempts">,
  attempts: readonly ShownAttempt[],
  nowMs: number,
): string {
  const lines = [`chunk ${chunk} of ${run}: ${describeState(state, runState)}`];
  lines.push(...attempts.flatMap((attempt, index) => formatAttempt(attempt, isContinuation(attempts, index), nowMs)));
  if (attempts.length === 0 && state !== "failed") lines.push("  no attempt has begun");
  if (failure !== undefined) lines.push(`  given up: ${toOneLine(failure.reason)}`);
  if (slots !== undefined) lines.push(...formatSlotRules(slots, state, attempts));
  lines.push(...formatPilots(pilots).map((line) => `  ${line}`));
  if (jobError !== undefined) lines.push(`  rules of the job are left out: ${toOneLine(jobError)}`);
  return toPrintableText(lines);
}

function describeState(state: ChunkExplanation["state"], runState: ChunkExplanation["runState"]): string {
  switch (state) {
    case "done":
    case "running":
      return state;
    case "stopped":
      return "stopped on request";
    case "failed":
      return "failed, and not tried again in this session";
    case "waiting":
      return "waiting for a slot";
    case "cancelled":
      return "cancelled: it has no result, and gets none";
    case "unfinished":
      return runState === "new" ? "queued; the run has not begun" : `not done; the run is ${runState}`;
    default:
      return state satisfies never;
  }
}

function formatAttempt(attempt: ShownAttempt, isContinued: boolean, nowMs: number): string[] {
  const { attempt: number, node, slot, gpu, began, lines } = attempt;
  const card = gpu === undefined ? "" : ` (GPU ${gpu})`;
  const since = began === undefined ? "" : `, began ${formatLocalTime(new Date(began), "seconds")}`;
  const head = `  attempt ${number}${isContinued ? ", continued" : ""}: ${describeEnd(attempt, nowMs)} on ${node} slot ${slot}${card}${since}`;
  return [toOneLine(head), ...lines.map((line) => `      ${toOneLine(line)}`)];
}

function describeEnd({ state, reason, seconds, live }: ShownAttempt, nowMs: number): string {
  const time = seconds === undefined ? "" : ` after ${formatDuration(seconds)}`;
  switch (state) {
    case "done":
      return seconds === undefined ? "done" : `done in ${formatDuration(seconds)}`;
    case "failed":
      return `failed${time} (${reason ?? "unknown"})`;
    case "stopped":
      return `stopped${time} (${reason ?? "unknown"})`;
    case "running":
      return live === undefined ? "running" : `running (${formatAttemptTime(live, nowMs)})`;
    default:
      return state satisfies never;
  }
}

/** Says which slots may have the chunk, why it is where it is, and every rule that refuses each other slot. */
function formatSlotRules(
  slots: readonly JudgedSlot[],
  state: ChunkExplanation["state"],
  attempts: readonly ShownAttempt[],
): string[] {
  const home = attempts.findLast((one) => one.state === "running");
  const others = slots.filter(({ node, slot }) => node !== home?.node || slot !== home.slot);
  const refused = others.filter(({ reasons }) => reasons.length > 0);
  const open = others.length - refused.length;
  const lines: string[] = home === undefined ? [] : [`  why there: ${explainPlace(home, slots)}`];
  if (open > 0)
    lines.push(
      home === undefined
        ? `  ${pluralize(open, "slot")} may have it, when it is its turn`
        : `  ${pluralize(open, "other slot")} might have had it`,
    );
  else if (state === "waiting") lines.push(`  no slot may have it now${refused.length === 0 ? "" : ":"}`);
  if (refused.length > 0 && open > 0) lines.push("  refused by:");
  else if (refused.length > 0 && home !== undefined) lines.push("  other slots refuse it:");
  return [...lines, ...formatRefusals(refused)];
}

/** Slots get chunks in this order: fewer chunks on the slot, then the higher rate. */
function explainPlace({ node, slot }: ShownAttempt, slots: readonly JudgedSlot[]): string {
  const own = slots.find((one) => one.node === node && one.slot === slot);
  const rates = slots.flatMap(({ rate }) => rate ?? []);
  if (own?.rate === undefined) return "it was the free slot with the least work";
  const rank = rates.filter((rate) => rate > own.rate!).length + 1;
  return `of the free slots with the least work it is the fastest: ${formatRate(own.rate)}, number ${rank} of ${rates.length}`;
}

function formatRefusals(refused: readonly JudgedSlot[]): string[] {
  const nodes = refused.filter(({ slot }) => slot === undefined);
  const each = refused.flatMap(({ node, slot, reasons }) =>
    slot === undefined ? [] : [{ node, slot, reason: reasons.join("; ") }],
  );
  return [
    ...groupByReason(each).map((group) => `    ${group.node} ${formatSlots(group.slots)}: ${toOneLine(group.reason)}`),
    ...nodes.map(({ node, reasons }) => `    ${node}: ${toOneLine(reasons.join("; "))}`),
  ];
}

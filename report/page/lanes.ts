import type { RunHistory } from "../../executor/run/record/runhistory.js";
import type { StoppedAttempt } from "../../executor/run/record/runtimeline.js";
import { listRunNodes } from "../breakdown.js";
import { formatDuration, pluralize } from "../format.js";
import { type LaneSpan, limitSpans } from "./spans.js";

/** What one slot, or one step of a pipeline, did over time. Lanes of one group stand together. */
export interface Lane {
  group: string;
  name: string;
  spans: LaneSpan[];
}

interface SlotLane extends Lane {
  slot: number;
}

/** Approximate limits of the drawn spans. Where there are more, short ones are merged. */
const MAX_SPANS_PER_LANE = 400;
const MAX_SPANS = 16_000;
/** The rest of a reason is in the table of failures. */
const MAX_REASON_CHARS = 120;

/** Returns the lanes of all slots, node by node. Pure. */
export function buildSlotLanes(history: RunHistory): Lane[] {
  const lanes = new Map<string, Map<number, SlotLane>>();
  const of = (node: string, slot: number): SlotLane => {
    const there = lanes.get(node) ?? new Map<number, SlotLane>();
    lanes.set(node, there);
    const lane = there.get(slot) ?? { group: node, name: `${node} ${slot}`, slot, spans: [] };
    there.set(slot, lane);
    return lane;
  };
  for (const { node, slots = [] } of history.nodeEntries) for (const slot of slots) of(node, slot);
  addWork(history, (node, slot, span) => of(node, slot).spans.push(span));
  const order = listRunNodes(history);
  const all = [...lanes.values()].flatMap((there) => [...there.values()]);
  const limit = Math.min(MAX_SPANS_PER_LANE, Math.max(20, Math.floor(MAX_SPANS / Math.max(1, all.length))));
  for (const lane of all) {
    const work = limitSpans(removeOverlaps(lane.spans), history.seconds, limit);
    lane.spans = [...buildAwaySpans(lane.group, history), ...buildDisabledSpans(lane, history), ...work];
  }
  return all.sort((a, b) => order.indexOf(a.group) - order.indexOf(b.group) || a.slot - b.slot);
}

/** Adds a span for every attempt. */
function addWork(history: RunHistory, add: (node: string, slot: number, span: LaneSpan) => void): void {
  for (const { node, slots, chunk, attempt, units, seconds, from, end } of history.executions) {
    const again = attempt === 1 ? "" : `, attempt ${attempt}`;
    const title = `chunk ${chunk}: ${pluralize(units, "unit")}, ${formatDuration(seconds)}${again}`;
    for (const slot of slots) add(node, slot, { from, to: end, what: attempt === 1 ? "ran" : "retried", title, chunk });
  }
  for (const { node, slot, chunk, attempt, reason, from, at } of history.failedAttempts) {
    const after = at > from ? ` after ${formatDuration(at - from)}` : "";
    const title = `chunk ${chunk}, attempt ${attempt} failed${after}: ${reason.slice(0, MAX_REASON_CHARS)}`;
    add(node, slot, { from, to: at, what: "failed", title, chunk });
  }
  for (const one of history.stoppedAttempts) {
    const title = `chunk ${one.chunk}, attempt ${one.attempt}: ${explainStop(one)}`;
    const what = one.why === "session ended" ? "running" : "superseded";
    add(one.node, one.slot, { from: one.from, to: one.at, what, title, chunk: one.chunk });
  }
  for (const { node, slot, chunk, attempt, from } of history.openAttempts)
    add(node, slot, {
      from,
      to: history.seconds,
      what: "running",
      title: `chunk ${chunk}, attempt ${attempt}: running`,
    });
}

function explainStop({ why, by, from, at }: StoppedAttempt): string {
  const ran = formatDuration(at - from);
  switch (why) {
    case "superseded":
      return `stopped after ${ran}, another attempt has the chunk`;
    case "rechecked":
      return `ran for ${ran}, its result was compared with the first one`;
    case "requeued":
      return `stopped after ${ran}, the chunk was queued again`;
    case "preempted":
      return `stopped after ${ran} for run ${by ?? "?"}, which has a higher priority`;
    case "cancelled":
      return `stopped after ${ran}, its task was cancelled`;
    case "session ended":
      return `had run for ${ran} when the session ended`;
    default:
      return why satisfies never;
  }
}

/** A slot runs one attempt at a time: where measured times overlap by a little, the later span is cut. */
function removeOverlaps(spans: LaneSpan[]): LaneSpan[] {
  let free = 0;
  return [...spans]
    .sort((a, b) => a.to - b.to || a.from - b.from)
    .map((span) => {
      const from = Math.min(span.to, Math.max(free, span.from));
      free = span.to;
      return { ...span, from };
    });
}

/** Returns the periods in which a node was not live. */
function buildAwaySpans(node: string, { nodeEntries: nodes, seconds }: RunHistory): LaneSpan[] {
  const spans: LaneSpan[] = [];
  let since: { at: number; title: string } | undefined;
  const close = (to: number) => {
    if (since !== undefined) spans.push({ from: since.at, to, what: "away", title: since.title });
    since = undefined;
  };
  for (const { at, state, reason } of nodes.filter((one) => one.node === node)) {
    close(at);
    if (state !== "live") since = { at, title: `${node} ${state}: ${reason ?? ""}` };
  }
  close(seconds);
  return spans;
}

function buildDisabledSpans({ group, slot }: SlotLane, { slotEntries: slots, seconds }: RunHistory): LaneSpan[] {
  const spans: LaneSpan[] = [];
  for (const one of slots.filter((other) => other.node === group && other.slot === slot)) {
    const last = spans.at(-1);
    if (last !== undefined && last.to === seconds) last.to = one.at;
    if (one.out !== undefined) spans.push({ from: one.at, to: seconds, what: "out", title: `disabled: ${one.out}` });
  }
  return spans;
}

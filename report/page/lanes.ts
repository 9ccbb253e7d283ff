import type { ChunkExecution, RunHistory } from "../../executor/run/record/runhistory.js";

import { listRunNodes } from "../breakdown.js";

/** A period in which a slot ran chunks or was unavailable, in seconds of the active time of the run. */
export interface LaneSpan {
  from: number;
  to: number;
  what: "ran" | "retried" | "out" | "away";
  title: string;
}

/** The timeline of one slot. `failed` has the failed attempts; of several at nearly the same time, only the first. */
export interface SlotLane {
  node: string;
  slot: number;
  spans: LaneSpan[];
  failed: { at: number; title: string }[];
}

/** Approximate limits of the drawn spans. Where there are more, neighbouring spans are merged. */
const MAX_SPANS_PER_LANE = 400;
const MAX_SPANS = 40_000;

/** Returns the timelines of all slots, node by node. Pure. */
export function buildLanes(history: RunHistory): SlotLane[] {
  const lanes = new Map<string, SlotLane>();
  const of = (node: string, slot: number): SlotLane => {
    const key = `${node}/${slot}`;
    const lane = lanes.get(key) ?? { node, slot, spans: [], failed: [] };
    lanes.set(key, lane);
    return lane;
  };
  for (const { node, slots = [] } of history.nodeEntries) for (const slot of slots) of(node, slot);
  const bySlot = new Map<SlotLane, ChunkExecution[]>();
  for (const one of history.executions) {
    const lane = of(one.node, one.slot);
    const before = bySlot.get(lane);
    if (before === undefined) bySlot.set(lane, [one]);
    else before.push(one);
  }
  const limit = Math.min(MAX_SPANS_PER_LANE, Math.max(20, Math.floor(MAX_SPANS / Math.max(1, lanes.size))));
  for (const { node, slot, at, chunk, attempt, reason } of history.failedAttempts) {
    const { failed } = of(node, slot);
    const isApart = failed.length === 0 || at - failed.at(-1)!.at > history.seconds / limit;
    if (isApart) failed.push({ at, title: `chunk ${chunk}, attempt ${attempt}: ${reason}` });
  }
  for (const [lane, executions] of bySlot) lane.spans.push(...buildWorkSpans(executions, history.seconds, limit));
  for (const lane of lanes.values())
    lane.spans.unshift(...buildAwaySpans(lane.node, history), ...buildDisabledSpans(lane, history));
  const order = listRunNodes(history);
  return [...lanes.values()].sort((a, b) => order.indexOf(a.node) - order.indexOf(b.node) || a.slot - b.slot);
}

/** Returns one span for each chunk without overlaps, or merged spans where there are more than `limit`. */
function buildWorkSpans(executions: ChunkExecution[], seconds: number, limit: number): LaneSpan[] {
  let free = 0;
  const all = [...executions]
    .sort((a, b) => a.end - b.end)
    .map((one) => {
      const from = Math.min(one.end, Math.max(free, one.end - one.seconds));
      free = one.end;
      return { one, from, to: one.end };
    });
  if (all.length <= limit)
    return all.map(({ one, from, to }) => {
      const { chunk, attempt, units } = one;
      const again = attempt === 1 ? "" : `, attempt ${attempt}`;
      const what = attempt === 1 ? "ran" : "retried";
      return { from, to, what, title: `chunk ${chunk}: ${units} units, ${one.seconds} s${again}` };
    });
  const merged: (LaneSpan & { chunks: number })[] = [];
  for (const { one, from, to } of all) {
    const last = merged.at(-1);
    const what = one.attempt === 1 ? "ran" : "retried";
    if (last?.what === what && from - last.to < seconds / limit / 4 && to - last.from < seconds / limit) {
      last.to = to;
      last.chunks++;
    } else merged.push({ from, to, what, chunks: 1, title: "" });
  }
  return merged.map(({ chunks, ...span }) => ({ ...span, title: `${chunks} chunks` }));
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

function buildDisabledSpans({ node, slot }: SlotLane, { slotEntries: slots, seconds }: RunHistory): LaneSpan[] {
  const spans: LaneSpan[] = [];
  for (const one of slots.filter((other) => other.node === node && other.slot === slot)) {
    const last = spans.at(-1);
    if (last !== undefined && last.to === seconds) last.to = one.at;
    if (one.out !== undefined) spans.push({ from: one.at, to: seconds, what: "out", title: `disabled: ${one.out}` });
  }
  return spans;
}

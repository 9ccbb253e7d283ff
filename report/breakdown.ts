import { describeIdleGpu } from "../executor/run/describeidlegpu.js";
import type { ChunkExecution, RunHistory } from "../executor/run/record/runhistory.js";

/** What a slot did in a run. Times are in seconds, rates in units per second. */
export interface SlotBreakdown {
  slot: number;
  chunks: number;
  units: bigint;
  /** The time in which it ran attempts, whether or not their results were kept, and its share of the active time of the run. */
  busy: number;
  share: number;
  /** Undefined for a slot without results. */
  rate: number | undefined;
  /** Chunks that had failed in an earlier attempt on any slot. */
  retried: number;
  /** Attempts that failed on this slot. */
  failed: number;
}

/** What a node did: the sums of its slots, except that `share` is their mean. */
export interface NodeBreakdown extends Omit<SlotBreakdown, "slot"> {
  node: string;
  slots: SlotBreakdown[];
  /** The units that were planned for it and done by it in the last session. */
  planned?: { units: bigint; done: bigint };
}

/** An event other than a result. `at` is in seconds of the active time of the run. */
export interface RunEvent {
  at: number;
  node: string;
  slot?: number;
  what: string;
}

export interface RunBreakdown {
  nodes: NodeBreakdown[];
  /** The chunks that took longest, in descending order. */
  slowest: ChunkExecution[];
  happenings: RunEvent[];
}

const MAX_SLOWEST_CHUNKS = 5;

/** Breaks a run down by node and slot. Pure. */
export function breakDownRun(history: RunHistory): RunBreakdown {
  const slots = new Map<string, Map<number, SlotSums>>(listRunNodes(history).map((node) => [node, new Map()]));
  const of = (node: string, slot: number): SlotSums => {
    const there = slots.get(node) ?? new Map<number, SlotSums>();
    slots.set(node, there);
    const sums = there.get(slot) ?? emptySlot(slot);
    there.set(slot, sums);
    return sums;
  };
  for (const { node, slots = [] } of history.nodeEntries) for (const slot of slots) of(node, slot);
  for (const { node, slot, slots: occupied, units, seconds, attempt, from, end } of history.executions) {
    const sums = of(node, slot);
    sums.chunks++;
    sums.units += units;
    sums.keptSeconds += seconds;
    for (const one of occupied) of(node, one).busy += end - from;
    if (attempt > 1) sums.retried++;
  }
  for (const { node, slot, from, at } of history.failedAttempts) {
    of(node, slot).failed++;
    of(node, slot).busy += at - from;
  }
  for (const { node, slot, from, at } of history.stoppedAttempts) of(node, slot).busy += at - from;
  for (const { node, slot, from } of history.openAttempts) of(node, slot).busy += Math.max(0, history.seconds - from);
  const nodes = [...slots]
    .filter(([, there]) => there.size > 0)
    .map(([node, there]) => {
      const planned = readPlannedUnits(history, node);
      return { ...sumSlots(node, [...there.values()], history.seconds), ...(planned && { planned }) };
    });
  return { nodes, slowest: findSlowest(history.executions), happenings: listRunEvents(history) };
}

/** Returns the nodes of a run, in the order of the inventory where it is known. */
export function listRunNodes({ status, nodeEntries: nodes, executions }: RunHistory): string[] {
  return [...new Set([...status.nodes, ...nodes.map(({ node }) => node), ...executions.map(({ node }) => node)])];
}

/** The sums of a slot while they are collected. `keptSeconds`: how long the attempts ran whose results were kept. */
interface SlotSums extends SlotBreakdown {
  keptSeconds: number;
}

function emptySlot(slot: number): SlotSums {
  return { keptSeconds: 0, slot, chunks: 0, units: 0n, busy: 0, share: 0, rate: undefined, retried: 0, failed: 0 };
}

function sumSlots(node: string, unordered: SlotSums[], seconds: number): NodeBreakdown {
  const slots = unordered
    .sort((a, b) => a.slot - b.slot)
    .map(({ keptSeconds, ...one }) => ({
      ...one,
      share: seconds === 0 ? 0 : Math.min(1, one.busy / seconds),
      rate: keptSeconds === 0 ? undefined : Number(one.units) / keptSeconds,
    }));
  const sum = (value: (slot: SlotBreakdown) => number) => slots.reduce((total, slot) => total + value(slot), 0);
  return {
    node,
    slots,
    chunks: sum((slot) => slot.chunks),
    units: slots.reduce((total, slot) => total + slot.units, 0n),
    busy: sum((slot) => slot.busy),
    share: sum((slot) => slot.share) / slots.length,
    rate: slots.every((slot) => slot.rate === undefined) ? undefined : sum((slot) => slot.rate ?? 0),
    retried: sum((slot) => slot.retried),
    failed: sum((slot) => slot.failed),
  };
}

function readPlannedUnits({ summary }: RunHistory, node: string): NodeBreakdown["planned"] {
  const found = summary?.nodes.find((one) => one.node === node);
  return found?.planned && { units: BigInt(found.planned.units), done: BigInt(found.units) };
}

function findSlowest(executions: ChunkExecution[]): ChunkExecution[] {
  let slowest: ChunkExecution[] = [];
  for (const one of executions) {
    if (slowest.length === MAX_SLOWEST_CHUNKS && one.seconds <= slowest.at(-1)!.seconds) continue;
    slowest = [...slowest, one].sort((a, b) => b.seconds - a.seconds).slice(0, MAX_SLOWEST_CHUNKS);
  }
  return slowest;
}

/** Returns when nodes and slots were lost and returned, what healing did, GPUs idle, chunks preempted, and when sessions began, in order of time. */
function listRunEvents(history: RunHistory): RunEvent[] {
  const { nodeEntries: nodes, slotEntries: slots, healEntries, idleEntries, stoppedAttempts, sessions } = history;
  const states = new Map<string, string>();
  const ofNodes = nodes.flatMap(({ at, node, state, reason }): RunEvent[] => {
    const before = states.get(node) ?? "live";
    states.set(node, state);
    if (state === before) return [];
    return [{ at, node, what: state === "live" ? "is back" : `${state}${reason === undefined ? "" : `: ${reason}`}` }];
  });
  const ofSlots = slots.map(({ at, node, slot, out }) => ({
    at,
    node,
    slot,
    what: out === undefined ? "enabled again" : `disabled: ${out}`,
  }));
  const healing = healEntries.map(({ at, node, text }) => ({ at, node, what: text }));
  const preempted = stoppedAttempts.flatMap(({ at, node, slot, chunk, why, by }): RunEvent[] =>
    why === "preempted" ? [{ at, node, slot, what: `chunk ${chunk} preempted by run ${by ?? "?"}` }] : [],
  );
  const idle = idleEntries.map(({ at, node, slot, pci, seconds, chunk }) => ({
    at,
    node,
    slot,
    what: describeIdleGpu(pci, seconds, chunk),
  }));
  const later = sessions.slice(1).map(({ from, number, began }) => ({
    at: from,
    node: "",
    what: `session ${number} began, on ${began}`,
  }));
  return [...ofNodes, ...ofSlots, ...healing, ...preempted, ...idle, ...later].sort((a, b) => a.at - b.at);
}

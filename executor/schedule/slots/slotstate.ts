import type { Slot } from "../events.js";
import type { RateEstimate } from "../rates/rates.js";
import type { HeapItem } from "./heap.js";

/** A node with this many results to collect gets no more work, so that memory stays bounded if the local disk is slow. */
const MAX_COLLECTING_PER_NODE = 256;

/** The health of a slot. The object lives as long as the run, however often its node leaves and joins. Only the pool changes it. */
export interface SlotHealth {
  readonly node: string;
  readonly slot: number;
  /** Why its circuit breaker is open, and until when (seconds); undefined = it is not open. */
  readonly quarantine?: { readonly reason: string; readonly until: number };
  /** Whether its circuit breaker is half-open: one chunk tests the slot. */
  readonly isHalfOpen: boolean;
  /** Why its GPU gets no work. `lasting`: do not wait for it to recover. */
  readonly sick?: { readonly reason: string; readonly lasting: boolean };
  /** "drained until 18:00 (new fans)": its node gets no new chunks. */
  readonly drained?: string;
}

/** The scheduler's state of a slot. Only the pool changes it. */
export interface SlotState extends Slot, HeapItem {
  readonly key: string;
  readonly home: ScheduledNode;
  /** The other run that holds it now. */
  readonly holder?: string;
  /** Why it cannot be used until its node joins again. */
  readonly broken?: string;
  /** Whether it is held for a chunk that needs several slots. */
  readonly isHeld: boolean;
  /** Whether its next chunk waits for host memory. */
  readonly isMemoryShort: boolean;
  /** Whether its node ends before any chunk that waits would end there. */
  readonly endsTooSoon: boolean;
  readonly health: SlotHealth;
  /** Whether its chunk failed while no chunk of the run has succeeded: it gets no other one before the next round of the trial. */
  readonly hasFailedTrial: boolean;
  /** The number of attempts on it that have not ended. */
  readonly load: number;
  readonly rateEstimate: RateEstimate;
  /** How the pool has counted it: whether it is usable, and with which rate (0 = unknown). */
  readonly isCountedUsable: boolean;
  readonly countedRate: number;
}

export interface ScheduledNode {
  readonly name: string;
  /** Its position in the order in which nodes first joined. */
  readonly joinOrder: number;
  /** When its connection dropped, in seconds; undefined = it is connected. */
  readonly disconnectedAt?: number;
  /** When it leaves, in seconds; undefined = it stays. */
  readonly deadline?: number;
  /** The most chunks that run at once on the node. */
  readonly maxConcurrent: number;
  readonly slots: readonly SlotState[];
  /** By how much the loads of its slots exceed the attempts on them, because some need several slots. */
  readonly surplusLoad: number;
  /** Whether it is reserved for, or runs, an exclusive chunk: it gets no other work. */
  readonly isReserved: boolean;
  /** The number of its results that are being collected. */
  readonly collectingCount: number;
}

/** Returns the state of a node without slots. `joinOrder`: its position among all nodes; `limit`: the most chunks that run there at once. */
export function createScheduledNode(name: string, joinOrder: number, limit: number): ScheduledNode {
  return { name, joinOrder, maxConcurrent: limit, slots: [], surplusLoad: 0, isReserved: false, collectingCount: 0 };
}

/** Returns the state of a slot without work. */
export function createSlotState(
  home: ScheduledNode,
  slot: Slot,
  health: SlotHealth,
  rateEstimate: RateEstimate,
): SlotState {
  return {
    ...slot,
    key: slotKey(slot.node, slot.slot),
    home,
    isMemoryShort: false,
    endsTooSoon: false,
    isHeld: false,
    health,
    hasFailedTrial: false,
    load: 0,
    rateEstimate,
    isCountedUsable: false,
    countedRate: 0,
    heapIndex: undefined,
  };
}

export function isConnected({ disconnectedAt }: ScheduledNode): boolean {
  return disconnectedAt === undefined;
}

/** Whether a node is at its limit of concurrent chunks for slots that hold `depth` of them, or has too many results to collect. */
export function isFull({ collectingCount, maxConcurrent, slots, surplusLoad }: ScheduledNode, depth: number): boolean {
  if (collectingCount >= MAX_COLLECTING_PER_NODE) return true;
  if (maxConcurrent >= slots.length) return false;
  const load = slots.reduce((sum, slot) => sum + Math.min(slot.load, depth), 0);
  return load - surplusLoad >= maxConcurrent * depth;
}

/** Whether a chunk on the node waits for host memory. */
export function isShortOfMemory(node: ScheduledNode): boolean {
  return node.slots.some((slot) => slot.isMemoryShort);
}

export function slotKey(node: string, slot: number): string {
  return `${node}/${slot}`;
}

/**
 * Returns the name under which the rate of a slot is learned: its rate as a share of a GPU says little about that of the whole. The pilots of
 * a cluster, `CLUSTER/ID`, come and go: what is learned of one holds for the next.
 */
export function rateKey({ node, slot, sharers }: Pick<Slot, "node" | "slot" | "sharers">): string {
  const key = slotKey(node.replace(/\/.*$/, ""), slot);
  return sharers === undefined ? key : `${key}:${sharers}`;
}

/** Whether the slot may be given work now, or after what it has. */
export function isUsable(slot: SlotState): boolean {
  if (slot.holder !== undefined || slot.broken !== undefined || slot.endsTooSoon) return false;
  const { quarantine, sick, drained } = slot.health;
  return quarantine === undefined && sick === undefined && drained === undefined && isConnected(slot.home);
}

/** Returns all slots that share the GPU of a slot, itself among them; none where it has a GPU of its own. */
export function listSharers({ sharers, gpu, home }: SlotState): SlotState[] {
  return sharers === undefined ? [] : home.slots.filter((slot) => slot.gpu === gpu);
}

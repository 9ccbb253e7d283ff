import type { Slot } from "../events.js";
import type { RateEstimate } from "../rates/rates.js";
import type { HeapItem } from "./heap.js";
import type { SlotHealth } from "./quarantine.js";

/** The scheduler's state of a slot. Only the pool changes it. */
export interface SlotState extends Slot, HeapItem {
  key: string;
  home: NodeState;
  /** The other run that holds its GPU now. */
  holder?: string;
  /** Why it cannot be used until its node joins again. */
  broken?: string;
  /** Whether its next chunk waits for host memory. */
  isMemoryShort: boolean;
  health: SlotHealth;
  /** The number of attempts on it that have not ended. */
  load: number;
  rateEstimate: RateEstimate;
  /** How the pool has counted it: whether it is usable, and with which rate (0 = unknown). */
  isCountedUsable: boolean;
  countedRate: number;
}

export interface NodeState {
  name: string;
  /** Its position in the order in which nodes first joined. */
  joinOrder: number;
  isConnected: boolean;
  /** The most chunks that run at once on the node. */
  maxConcurrent: number;
  slots: SlotState[];
  /** Whether it is reserved for, or runs, an exclusive chunk: it gets no other work. */
  isReserved: boolean;
  /** The number of its results that are being collected. */
  collectingCount: number;
}

/** Whether a chunk on the node waits for host memory. */
export function isShortOfMemory(node: NodeState): boolean {
  return node.slots.some((slot) => slot.isMemoryShort);
}

export function slotKey(node: string, slot: number): string {
  return `${node}/${slot}`;
}

/** Whether the slot may be given work now, or after what it has. */
export function isUsable(slot: SlotState): boolean {
  if (slot.holder !== undefined || slot.broken !== undefined) return false;
  return slot.health.quarantine === undefined && slot.health.sick === undefined && slot.home.isConnected;
}

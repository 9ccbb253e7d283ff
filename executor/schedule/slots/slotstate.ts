import type { Slot } from "../events.js";
import type { RateEstimate } from "../rates/rates.js";
import type { HeapItem } from "./heap.js";
import type { SlotHealth } from "./quarantine.js";

/** A slot as the scheduler sees it. */
export interface SlotState extends Slot, HeapItem {
  key: string;
  home: NodeState;
  /** The other run that holds it now. */
  holder?: string;
  /** Why it cannot be used any more. */
  broken?: string;
  /** Whether its next chunk waits for the node's memory. */
  isMemoryShort: boolean;
  health: SlotHealth;
  /** Attempts given to it that have not ended. */
  load: number;
  rateEstimate: RateEstimate;
  /** What the pool counts it as: whether it can be used, and at what rate (0: unknown). */
  isCountedUsable: boolean;
  countedRate: number;
}

export interface NodeState {
  name: string;
  /** Its place among the nodes, in the order in which they first joined. */
  joinOrder: number;
  isConnected: boolean;
  /** Chunks at once on the whole node. */
  maxConcurrent: number;
  slots: SlotState[];
  /** It is kept, or in use, for a chunk that runs alone: it gets no other work. */
  isReserved: boolean;
  /** Results of it that are on their way here. */
  collectingCount: number;
}

/** Whether a node's memory cannot hold all that it was given. */
export function isShortOfMemory(node: NodeState): boolean {
  return node.slots.some((slot) => slot.isMemoryShort);
}

export function slotKey(node: string, slot: number): string {
  return `${node}/${slot}`;
}

/** Whether the slot may be given work, now or after what it has. */
export function isUsable(slot: SlotState): boolean {
  if (slot.holder !== undefined || slot.broken !== undefined) return false;
  return slot.health.quarantine === undefined && slot.health.sick === undefined && slot.home.isConnected;
}

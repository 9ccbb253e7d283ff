import type { Slot } from "../events.js";
import type { Speed } from "../rates/rates.js";
import type { Health } from "./blame.js";
import type { Ranked } from "./heap.js";

/** A slot as the scheduler sees it. */
export interface SlotState extends Slot, Ranked {
  key: string;
  home: NodeState;
  /** The other run that holds it now. */
  holder?: string;
  /** Why it cannot be used any more. */
  broken?: string;
  /** Whether its next chunk waits for the node's memory. */
  short: boolean;
  health: Health;
  /** Attempts given to it that have not ended. */
  load: number;
  speed: Speed;
  /** What the pool counts it as: whether it can be used, and at what rate (0: unknown). */
  counted: boolean;
  share: number;
}

export interface NodeState {
  name: string;
  /** Its place among the nodes, in the order in which they first joined. */
  order: number;
  live: boolean;
  /** Chunks at once on the whole node. */
  limit: number;
  slots: SlotState[];
  /** It is kept, or in use, for a chunk that runs alone: it gets no other work. */
  reserved: boolean;
  /** Results of it that are on their way here. */
  collecting: number;
}

/** Whether a node's memory cannot hold all that it was given. */
export function isShort(node: NodeState): boolean {
  return node.slots.some((slot) => slot.short);
}

export function slotKey(node: string, slot: number): string {
  return `${node}/${slot}`;
}

/** Whether the slot may be given work, now or after what it has. */
export function isUsable(slot: SlotState): boolean {
  if (slot.holder !== undefined || slot.broken !== undefined) return false;
  return slot.health.quarantine === undefined && slot.health.sick === undefined && slot.home.live;
}

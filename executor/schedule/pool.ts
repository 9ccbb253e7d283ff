import type { Slot } from "./events.js";
import type { Rates } from "./rates.js";

export interface SlotState extends Slot {
  key: string;
  usable: boolean;
  /** Attempts given to it that have not ended. */
  load: number;
}

export interface NodeState {
  name: string;
  live: boolean;
  /** Chunks at once on the whole node. */
  limit: number;
  slots: SlotState[];
  /** Results of it that are on their way here. */
  collecting: number;
}

/** Results under way from one node before it is given no more, so that memory stays bounded when the disk here is slow. */
const COLLECTING_LIMIT = 256;

export function slotKey(node: string, slot: number): string {
  return `${node}/${slot}`;
}

/** The nodes and slots that are known, and which of them should get the next chunk. */
export class Pool {
  readonly nodes = new Map<string, NodeState>();

  join(name: string, slots: Slot[], limit: number): NodeState {
    const known = this.nodes.get(name);
    const states = slots.map((slot) => ({ ...slot, key: slotKey(slot.node, slot.slot), usable: true, load: 0 }));
    const node = { name, live: true, limit, slots: states, collecting: known?.collecting ?? 0 };
    this.nodes.set(name, node);
    return node;
  }

  slot(node: string, slot: number): SlotState | undefined {
    return this.nodes.get(node)?.slots.find((state) => state.slot === slot);
  }

  /** Slots that may be given work now or after what they have. */
  usable(): SlotState[] {
    return [...this.nodes.values()].filter((node) => node.live).flatMap((node) => node.slots.filter((s) => s.usable));
  }

  /** Slots with room for one more chunk at `depth` a slot: idle ones first, the faster of two first. */
  open(depth: number, rates: Rates): SlotState[] {
    const open: SlotState[] = [];
    for (const node of this.nodes.values()) {
      if (!node.live || node.collecting >= COLLECTING_LIMIT) continue;
      let load = 0;
      for (const slot of node.slots) load += slot.load;
      if (load >= node.limit * depth) continue;
      for (const slot of node.slots) if (slot.usable && slot.load < depth) open.push(slot);
    }
    return open.sort((a, b) => a.load - b.load || (rates.of(b.key) ?? 0) - (rates.of(a.key) ?? 0));
  }
}

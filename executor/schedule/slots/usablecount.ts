import type { Slot } from "../events.js";
import type { SlotState } from "./slotstate.js";

/** How many slots are usable, in all and by GPU index. */
export class UsableCount {
  private readonly byGpu = new Map<number | undefined, number>();
  /** The number of usable slots. */
  total = 0;
  /** Those of them on nodes without a deadline. */
  lasting = 0;

  /** Counts a slot that has become usable, or (`by` = -1) that no longer is. */
  change({ gpu, home }: SlotState, by: 1 | -1): void {
    this.total += by;
    if (home.deadline === undefined) this.lasting += by;
    this.byGpu.set(gpu, (this.byGpu.get(gpu) ?? 0) + by);
  }

  /** Returns how many usable slots could run a chunk with that pin. */
  countFor(pin: number | undefined): number {
    if (pin === undefined) return this.total;
    return (this.byGpu.get(pin) ?? 0) + (this.byGpu.get(undefined) ?? 0);
  }
}

/** Whether a slot takes chunks with that pin: one pinned to a GPU runs on the GPU with that index on any node, or on a CPU slot. */
export function fitsPin(pin: number | undefined, slot: Slot): boolean {
  return pin === undefined || slot.gpu === undefined || slot.gpu === pin;
}

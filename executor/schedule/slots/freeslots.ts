import { Heap } from "./heap.js";
import { listSharers, type SlotState } from "./slotstate.js";

/**
 * The slots with room for a chunk: lower load first, then higher rate, as far as other chunks leave a shared GPU to it. Grouped by GPU index,
 * for pinned chunks.
 */
export class FreeSlots {
  private readonly byGpu = new Map<number | undefined, Heap<SlotState>>();

  /** Adds a slot, or moves it to its new position after a change of its load or rate. */
  put(slot: SlotState): void {
    let group = this.byGpu.get(slot.gpu);
    if (group === undefined) {
      group = new Heap(ranksBefore);
      this.byGpu.set(slot.gpu, group);
    }
    group.put(slot);
  }

  delete(slot: SlotState): void {
    this.byGpu.get(slot.gpu)?.delete(slot);
  }

  /**
   * Returns the best slot for a chunk pinned to GPU `pin` (undefined: not pinned) that satisfies `suits`; CPU slots take
   * any chunk. Costs O(log n) for each slot that does not satisfy `suits`.
   */
  findBest(pin: number | undefined, suits: (slot: SlotState) => boolean): SlotState | undefined {
    let best: SlotState | undefined;
    for (const group of pin === undefined ? this.byGpu.values() : [this.byGpu.get(pin), this.byGpu.get(undefined)]) {
      const slot = group === undefined ? undefined : findFirst(group, suits);
      if (slot !== undefined && (best === undefined || ranksBefore(slot, best))) best = slot;
    }
    return best;
  }

  /** Returns up to `most` slots without load whose circuit breaker is closed, fastest first. */
  findIdle(most: number): SlotState[] {
    const passed: SlotState[] = [];
    const found: SlotState[] = [];
    for (
      let slot = this.findBest(undefined, acceptAny);
      slot?.load === 0 && found.length < most;
      slot = this.findBest(undefined, acceptAny)
    ) {
      this.delete(slot);
      passed.push(slot);
      if (!slot.health.isHalfOpen) found.push(slot);
    }
    for (const slot of passed) this.put(slot);
    return found;
  }
}

function acceptAny(): boolean {
  return true;
}

function findFirst(group: Heap<SlotState>, suits: (slot: SlotState) => boolean): SlotState | undefined {
  const passed: SlotState[] = [];
  let slot = group.peek();
  for (; slot !== undefined && !suits(slot); slot = group.peek()) {
    group.delete(slot);
    passed.push(slot);
  }
  for (const one of passed) group.put(one);
  return slot;
}

function ranksBefore(a: SlotState, b: SlotState): boolean {
  if (a.load !== b.load) return a.load < b.load;
  const [besideA, besideB] = [countBeside(a), countBeside(b)];
  const [rateA, rateB] = [expectRate(a, besideA), expectRate(b, besideB)];
  if (rateA !== rateB) return rateA > rateB;
  if (besideA !== besideB) return besideA < besideB;
  return a.home.joinOrder !== b.home.joinOrder ? a.home.joinOrder < b.home.joinOrder : a.slot < b.slot;
}

/** Returns how many other slots of its GPU are at work. */
function countBeside(slot: SlotState): number {
  return listSharers(slot).filter((one) => one !== slot && one.load > 0).length;
}

/** Returns the rate of a slot, or of so much of its GPU as `beside` chunks leave to it; 0 = unknown. */
function expectRate({ rateEstimate: { rate = 0 }, sharers = 1 }: SlotState, beside: number): number {
  return sharers === 1 ? rate : (rate * sharers) / (beside + 1);
}

import type { Slot } from "./events.js";
import { slotKey } from "./pool.js";
import type { Retry } from "./retry.js";

/** Chunks that were taken from the source but are with no slot: to be tried again, or pinned to a GPU that was busy. */
export class Waiting {
  /** By pinned GPU (undefined: any), each in the order of arrival. */
  private readonly queues = new Map<number | undefined, Retry[]>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  add(retry: Retry): void {
    const queue = this.queues.get(retry.chunk.gpu);
    if (queue === undefined) this.queues.set(retry.chunk.gpu, [retry]);
    else queue.push(retry);
    this.count++;
  }

  /** The first chunk that is due, fits the slot, and did not fail on this very slot while another could take it. */
  take(slot: Slot, usable: Slot[], now: number): Retry | undefined {
    const pins = slot.gpu === undefined ? [...this.queues.keys()] : [slot.gpu, undefined];
    for (const pin of pins) {
      const queue = this.queues.get(pin) ?? [];
      const others = usable.some(
        (one) => one !== slot && (pin === undefined || one.gpu === undefined || one.gpu === pin),
      );
      const key = slotKey(slot.node, slot.slot);
      const index = queue.findIndex((retry) => retry.at <= now && (retry.avoid !== key || !others));
      if (index < 0) continue;
      this.count--;
      const [retry] = queue.splice(index, 1);
      if (queue.length === 0) this.queues.delete(pin);
      return retry;
    }
    return undefined;
  }

  /** When the next chunk becomes due, if that is later than now. */
  next(now: number): number | undefined {
    let at: number | undefined;
    for (const queue of this.queues.values())
      for (const retry of queue) if (retry.at > now && (at === undefined || retry.at < at)) at = retry.at;
    return at;
  }

  /** Takes everything out. */
  drain(): Retry[] {
    const all = [...this.queues.values()].flat();
    this.queues.clear();
    this.count = 0;
    return all;
  }
}

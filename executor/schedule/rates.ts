/** How much a new measurement counts against what was known (gpu_optimizer.py's 0.3 and 0.7). */
const WEIGHT = 0.3;

export function average(known: number | undefined, measured: number): number {
  return known === undefined ? measured : WEIGHT * measured + (1 - WEIGHT) * known;
}

/** What is known of how fast slots are (units a second) and how long a chunk takes (seconds). */
export class Rates {
  private readonly bySlot = new Map<string, number>();
  private typical: number | undefined;

  /** A first guess; kept only while nothing has been measured. */
  guess(slot: string, rate: number | undefined): void {
    if (rate !== undefined && !this.bySlot.has(slot)) this.bySlot.set(slot, rate);
  }

  learn(slot: string, units: bigint, seconds: number): void {
    this.typical = average(this.typical, seconds);
    if (seconds > 0) this.bySlot.set(slot, average(this.bySlot.get(slot), Number(units) / seconds));
  }

  /** Units a second of a slot. */
  of(slot: string): number | undefined {
    return this.bySlot.get(slot);
  }

  /** The slowest slot of those given that anything is known of. */
  slowest(slots: Iterable<string>): number | undefined {
    let least: number | undefined;
    for (const slot of slots) {
      const rate = this.bySlot.get(slot);
      if (rate !== undefined && (least === undefined || rate < least)) least = rate;
    }
    return least;
  }

  /** Seconds that a chunk takes here, on average; undefined before the first has ended. */
  get seconds(): number | undefined {
    return this.typical;
  }
}

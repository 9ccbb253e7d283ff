/** How much a new measurement counts against what was known (gpu_optimizer.py's 0.3 and 0.7). */
const WEIGHT = 0.3;

export function average(known: number | undefined, measured: number): number {
  return known === undefined ? measured : WEIGHT * measured + (1 - WEIGHT) * known;
}

/** How fast a slot is. One object a slot for the whole run, however often its node comes and goes. */
export interface Speed {
  /** Units a second; undefined = nothing is known yet. */
  rate?: number;
}

/** What is known of how fast slots are (units a second) and how long a chunk takes (seconds). */
export class Rates {
  private readonly bySlot = new Map<string, Speed>();
  private typical: number | undefined;

  at(slot: string): Speed {
    let speed = this.bySlot.get(slot);
    if (speed === undefined) {
      speed = {};
      this.bySlot.set(slot, speed);
    }
    return speed;
  }

  learn(speed: Speed, units: bigint, seconds: number): void {
    this.typical = average(this.typical, seconds);
    if (seconds > 0) speed.rate = average(speed.rate, Number(units) / seconds);
  }

  /** Seconds that a chunk takes here, on average; undefined before the first has ended. */
  get seconds(): number | undefined {
    return this.typical;
  }
}

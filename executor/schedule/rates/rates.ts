import { Overhead } from "./overhead.js";

/** How much a new measurement counts against what was known (gpu_optimizer.py's 0.3 and 0.7), at the least. */
const WEIGHT = 0.3;
/** A measurement that is off by more than this factor is believed only this far, until a second one says the same. */
const ODD = 2;
/** Of a chunk's time, at least this share is taken to be of its units: where overhead rules, what is left of it is mostly noise. */
const NET = 0.5;

/** How fast a slot is at one kind of work. One object a slot for the whole run, however often its node comes and goes. */
export interface Speed {
  /** Units a second, overhead apart; undefined = nothing is known yet. */
  rate?: number;
  /** Units that `rate` was learned from, the older the less; 0: it is a guess. */
  evidence: number;
  /** The chunk before. */
  last?: { units: number; seconds: number };
  /** Whether the last measurement was far above (1) or below (-1) what was known. */
  odd: -1 | 0 | 1;
}

/** What runs of one kind of work have learned, for the next one. Seconds, units, and units a second. */
export interface Learned {
  overhead?: number;
  slots: Map<string, { rate: number; evidence: number }>;
  /** Of tasks, by program: seconds that one takes on a slot of rate 1, and of how many that is the mean. */
  programs?: Map<string, { seconds: number; count: number }>;
}

/** What is known of how fast slots are (units a second) and how long a chunk takes (seconds). */
export class Rates {
  readonly overhead = new Overhead();
  private readonly bySlot = new Map<string, Speed>();
  private typical: number | undefined;

  at(slot: string): Speed {
    let speed = this.bySlot.get(slot);
    if (speed === undefined) {
      speed = { evidence: 0, odd: 0 };
      this.bySlot.set(slot, speed);
    }
    return speed;
  }

  /** A chunk of `units` took `seconds`, overhead and all. */
  learn(speed: Speed, units: number, seconds: number): void {
    this.took(seconds);
    const { last } = speed;
    if (last === undefined) speed.last = { units, seconds };
    else {
      if (seconds > 0) this.overhead.learn(last, { units, seconds });
      last.units = units;
      last.seconds = seconds;
    }
    if (seconds <= 0) return;
    const net = Math.max(seconds - this.overhead.seconds, NET * seconds);
    const weight = Math.max(WEIGHT, units / (units + speed.evidence));
    speed.evidence = units + (1 - WEIGHT) * speed.evidence;
    const measured = weight > WEIGHT ? units / net : believable(speed, units / net);
    speed.rate = speed.rate === undefined ? measured : weight * measured + (1 - weight) * speed.rate;
  }

  /** A chunk took so many seconds, somewhere. */
  took(seconds: number): void {
    this.typical = this.typical === undefined ? seconds : WEIGHT * seconds + (1 - WEIGHT) * this.typical;
  }

  /** Seconds that a chunk takes here, on average; undefined before the first has ended. */
  get seconds(): number | undefined {
    return this.typical;
  }

  /** Takes over what earlier runs have learned. */
  recall({ overhead, slots }: Learned): void {
    if (overhead !== undefined) this.overhead.start(overhead);
    for (const [slot, { rate, evidence }] of slots) Object.assign(this.at(slot), { rate, evidence });
  }

  /** What is known now; slots that have not been measured are left out. */
  learned(): Learned {
    const slots: Learned["slots"] = new Map();
    for (const [slot, { rate, evidence }] of this.bySlot)
      if (rate !== undefined && evidence > 0) slots.set(slot, { rate, evidence });
    return { overhead: this.overhead.known ? this.overhead.seconds : undefined, slots };
  }
}

/** One odd measurement may be a hiccup; a second one like it is the truth. */
function believable(speed: Speed, measured: number): number {
  const known = speed.rate!;
  const side = measured > known * ODD ? 1 : measured < known / ODD ? -1 : 0;
  const confirmed = side !== 0 && side === speed.odd;
  speed.odd = side;
  if (side === 0 || confirmed) return measured;
  return side === 1 ? known * ODD : known / ODD;
}

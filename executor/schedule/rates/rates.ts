import { OverheadEstimate } from "./overhead.js";

/** How much a new measurement counts against what was known (gpu_optimizer.py's 0.3 and 0.7), at the least. */
const MIN_WEIGHT = 0.3;
/** A measurement that is off by more than this factor is believed only this far, until a second one says the same. */
const OUTLIER_FACTOR = 2;
/** Of a chunk's time, at least this share is taken to be of its units: where overhead rules, what is left of it is mostly noise. */
const MIN_NET_SHARE = 0.5;

/** How fast a slot is at one kind of work. One object a slot for the whole run, however often its node comes and goes. */
export interface RateEstimate {
  /** Units a second, overhead apart; undefined = nothing is known yet. */
  rate?: number;
  /** Units that `rate` was learned from, the older the less; 0: it is a guess. */
  evidence: number;
  /** The chunk before. */
  lastChunk?: { units: number; seconds: number };
  /** Whether the last measurement was far above (1) or below (-1) what was known. */
  outlierSide: -1 | 0 | 1;
}

/** What runs of one kind of work have learned, for the next one. Seconds, units, and units a second. */
export interface LearnedRates {
  overhead?: number;
  slots: Map<string, { rate: number; evidence: number }>;
  /** Of tasks, by program: seconds that one takes on a slot of rate 1, and of how many that is the mean. */
  programs?: Map<string, { seconds: number; count: number }>;
}

/** What is known of how fast slots are (units a second) and how long a chunk takes (seconds). */
export class Rates {
  readonly overhead = new OverheadEstimate();
  private readonly bySlot = new Map<string, RateEstimate>();
  private meanSeconds: number | undefined;

  estimateFor(slot: string): RateEstimate {
    let speed = this.bySlot.get(slot);
    if (speed === undefined) {
      speed = { evidence: 0, outlierSide: 0 };
      this.bySlot.set(slot, speed);
    }
    return speed;
  }

  /** A chunk of `units` took `seconds`, overhead and all. */
  learn(speed: RateEstimate, units: number, seconds: number): void {
    this.recordSeconds(seconds);
    const { lastChunk: last } = speed;
    if (last === undefined) speed.lastChunk = { units, seconds };
    else {
      if (seconds > 0) this.overhead.learn(last, { units, seconds });
      last.units = units;
      last.seconds = seconds;
    }
    if (seconds <= 0) return;
    const net = Math.max(seconds - this.overhead.seconds, MIN_NET_SHARE * seconds);
    const weight = Math.max(MIN_WEIGHT, units / (units + speed.evidence));
    speed.evidence = units + (1 - MIN_WEIGHT) * speed.evidence;
    const measured = weight > MIN_WEIGHT ? units / net : limitOutlier(speed, units / net);
    speed.rate = speed.rate === undefined ? measured : weight * measured + (1 - weight) * speed.rate;
  }

  /** A chunk took so many seconds, somewhere. */
  recordSeconds(seconds: number): void {
    this.meanSeconds =
      this.meanSeconds === undefined ? seconds : MIN_WEIGHT * seconds + (1 - MIN_WEIGHT) * this.meanSeconds;
  }

  /** Seconds that a chunk takes here, on average; undefined before the first has ended. */
  get seconds(): number | undefined {
    return this.meanSeconds;
  }

  /** Takes over what earlier runs have learned. */
  restore({ overhead, slots }: LearnedRates): void {
    if (overhead !== undefined) this.overhead.restore(overhead);
    for (const [slot, { rate, evidence }] of slots) Object.assign(this.estimateFor(slot), { rate, evidence });
  }

  /** What is known now; slots that have not been measured are left out. */
  learned(): LearnedRates {
    const slots: LearnedRates["slots"] = new Map();
    for (const [slot, { rate, evidence }] of this.bySlot)
      if (rate !== undefined && evidence > 0) slots.set(slot, { rate, evidence });
    return { overhead: this.overhead.isKnown ? this.overhead.seconds : undefined, slots };
  }
}

/** One odd measurement may be a hiccup; a second one like it is the truth. */
function limitOutlier(speed: RateEstimate, measured: number): number {
  const known = speed.rate!;
  const side = measured > known * OUTLIER_FACTOR ? 1 : measured < known / OUTLIER_FACTOR ? -1 : 0;
  const confirmed = side !== 0 && side === speed.outlierSide;
  speed.outlierSide = side;
  if (side === 0 || confirmed) return measured;
  return side === 1 ? known * OUTLIER_FACTOR : known / OUTLIER_FACTOR;
}

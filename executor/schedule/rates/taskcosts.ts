import type { Chunk } from "../../job/job.js";
import type { CostModel } from "./costmodel.js";
import type { RateEstimate, Rates } from "./rates.js";
import { ResidualTime } from "./residualtime.js";
import { WeightedMean } from "./weightedmean.js";

/** What a profile says of a slot counts as much as so many tasks that it has run. */
const PROFILE_WEIGHT = 8;
/** With every task that a slot runs, what was learned from those before counts this much. */
const RECORD_DECAY = 0.97;
/** What earlier runs have learned of a program counts as much as so many tasks of this one, at the most. */
const MAX_LEARNED_WEIGHT = 100;

/** What a slot was expected to need for its tasks, and what it needed. Seconds. */
interface SlotRecord {
  guess: number;
  cost: number;
  seconds: number;
}

/**
 * Of tasks and combinations: the seconds that one takes on a slot of rate 1. What it says itself (`expect`) as far as such words have
 * proved right, else what its program took on average, in earlier runs too, else what all took. Rates are relative: where nothing
 * is known of slots, they are all 1.
 */
export class TaskCosts implements CostModel {
  private readonly programs: Map<string, WeightedMean>;
  private readonly all = new WeightedMean();
  private readonly declaredRatio = new WeightedMean();
  private readonly residualTime = new ResidualTime();
  private readonly records = new Map<RateEstimate, SlotRecord>();

  /** `known`: what earlier runs have learned, by program. `reference`: the rate of a profile that counts as 1. */
  constructor(
    private readonly rates: Rates,
    known: Map<string, { seconds: number; count: number }> = new Map(),
    private reference?: number,
  ) {
    this.programs = new Map(
      [...known].map(([name, { seconds, count }]) => [
        name,
        new WeightedMean(seconds, Math.min(count, MAX_LEARNED_WEIGHT)),
      ]),
    );
  }

  /** Chunks that have ended. */
  get count(): number {
    return this.all.weight;
  }

  estimate(chunk: Chunk): number | undefined {
    if (chunk.expectedSeconds !== undefined) return chunk.expectedSeconds * (this.declaredRatio.value ?? 1);
    return this.programs.get(programName(chunk))?.value ?? this.all.value;
  }

  estimateAfter(chunk: Chunk, past: number): number | undefined {
    const length = this.estimate(chunk);
    return length === undefined ? undefined : length * this.residualTime.expectBeyond(past / length);
  }

  guessRate(rate: number | undefined): number {
    if (rate === undefined) return 1;
    this.reference ??= rate;
    return rate / this.reference;
  }

  learn(speed: RateEstimate, chunk: Chunk, seconds: number): void {
    this.rates.recordSeconds(seconds);
    const record = this.recordOf(speed);
    const length = seconds * speed.rate!;
    const expected = this.estimate(chunk);
    if (expected !== undefined) this.residualTime.add(length / expected);
    this.all.add(length);
    this.meanOfProgram(chunk).add(length);
    if (chunk.expectedSeconds !== undefined)
      this.declaredRatio.add(length / chunk.expectedSeconds, chunk.expectedSeconds);
    record.cost = RECORD_DECAY * record.cost + this.estimate(chunk)!;
    record.seconds = RECORD_DECAY * record.seconds + seconds;
    const prior = PROFILE_WEIGHT * this.all.value!;
    speed.rate = (record.guess * (prior + record.cost)) / (prior + record.guess * record.seconds);
    speed.evidence++;
  }

  /** What is known of programs now, for later runs. */
  learned(): Map<string, { seconds: number; count: number }> {
    return new Map([...this.programs].map(([name, { value, weight }]) => [name, { seconds: value!, count: weight }]));
  }

  private recordOf(speed: RateEstimate): SlotRecord {
    let record = this.records.get(speed);
    if (record === undefined) {
      speed.rate ??= 1;
      record = { guess: speed.rate, cost: 0, seconds: 0 };
      this.records.set(speed, record);
    }
    return record;
  }

  private meanOfProgram(chunk: Chunk): WeightedMean {
    const name = programName(chunk);
    let average = this.programs.get(name);
    if (average === undefined) {
      average = new WeightedMean();
      this.programs.set(name, average);
    }
    return average;
  }
}

/** Tasks of one kind have lengths that are learned together. */
export function costClassOf(chunk: Chunk): string {
  return chunk.expectedSeconds === undefined ? `program ${programName(chunk)}` : "says what it expects";
}

function programName({ spec: { program } }: Chunk): string {
  return program.kind === "script" ? program.script.path : program.command.join(" ");
}

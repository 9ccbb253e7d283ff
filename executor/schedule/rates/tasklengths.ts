import type { Chunk } from "../../job/job.js";
import { Average } from "./average.js";
import type { Lengths } from "./lengths.js";
import type { Rates, Speed } from "./rates.js";
import { Spread } from "./spread.js";

/** What a profile says of a slot counts as much as so many tasks that it has run. */
const PRIOR = 8;
/** With every task that a slot runs, what was learned from those before counts this much. */
const FADE = 0.97;
/** What earlier runs have learned of a program counts as much as so many tasks of this one, at the most. */
const MEMORY = 100;

/** What a slot was expected to need for its tasks, and what it needed. Seconds. */
interface Record {
  guess: number;
  length: number;
  seconds: number;
}

/**
 * Of tasks and combinations: the seconds that one takes on a slot of rate 1. What it says itself (`expect`) as far as such words have
 * proved right, else what its program took on average, in earlier runs too, else what all took. Rates are relative: where nothing
 * is known of slots, they are all 1.
 */
export class TaskLengths implements Lengths {
  private readonly programs: Map<string, Average>;
  private readonly all = new Average();
  private readonly said = new Average();
  private readonly spread = new Spread();
  private readonly records = new Map<Speed, Record>();

  /** `known`: what earlier runs have learned, by program. `reference`: the rate of a profile that counts as 1. */
  constructor(
    private readonly rates: Rates,
    known: Map<string, { seconds: number; count: number }> = new Map(),
    private reference?: number,
  ) {
    this.programs = new Map(
      [...known].map(([name, { seconds, count }]) => [name, new Average(seconds, Math.min(count, MEMORY))]),
    );
  }

  /** Chunks that have ended. */
  get count(): number {
    return this.all.weight;
  }

  of(chunk: Chunk): number | undefined {
    if (chunk.expect !== undefined) return chunk.expect * (this.said.value ?? 1);
    return this.programs.get(programOf(chunk))?.value ?? this.all.value;
  }

  after(chunk: Chunk, past: number): number | undefined {
    const length = this.of(chunk);
    return length === undefined ? undefined : length * this.spread.beyond(past / length);
  }

  guess(rate: number | undefined): number {
    if (rate === undefined) return 1;
    this.reference ??= rate;
    return rate / this.reference;
  }

  learn(speed: Speed, chunk: Chunk, seconds: number): void {
    this.rates.took(seconds);
    const record = this.recordOf(speed);
    const length = seconds * speed.rate!;
    const expected = this.of(chunk);
    if (expected !== undefined) this.spread.add(length / expected);
    this.all.add(length);
    this.programOf(chunk).add(length);
    if (chunk.expect !== undefined) this.said.add(length / chunk.expect, chunk.expect);
    record.length = FADE * record.length + this.of(chunk)!;
    record.seconds = FADE * record.seconds + seconds;
    const prior = PRIOR * this.all.value!;
    speed.rate = (record.guess * (prior + record.length)) / (prior + record.guess * record.seconds);
    speed.evidence++;
  }

  /** What is known of programs now, for later runs. */
  learned(): Map<string, { seconds: number; count: number }> {
    return new Map([...this.programs].map(([name, { value, weight }]) => [name, { seconds: value!, count: weight }]));
  }

  private recordOf(speed: Speed): Record {
    let record = this.records.get(speed);
    if (record === undefined) {
      speed.rate ??= 1;
      record = { guess: speed.rate, length: 0, seconds: 0 };
      this.records.set(speed, record);
    }
    return record;
  }

  private programOf(chunk: Chunk): Average {
    const name = programOf(chunk);
    let average = this.programs.get(name);
    if (average === undefined) {
      average = new Average();
      this.programs.set(name, average);
    }
    return average;
  }
}

/** Tasks of one kind have lengths that are learned together. */
export function kindOf(chunk: Chunk): string {
  return chunk.expect === undefined ? `program ${programOf(chunk)}` : "says what it expects";
}

function programOf({ work: { program } }: Chunk): string {
  return program.kind === "script" ? program.script.path : program.command.join(" ");
}

import type { Chunk, Program } from "../../job/job.js";
import type { CostModel } from "./costmodel.js";
import type { RateEstimate, Rates } from "./rates.js";
import { ResidualTime } from "./residualtime.js";
import { WeightedMean } from "./weightedmean.js";

/** The rate of a profile has the weight of this many tasks. */
const PROFILE_WEIGHT = 8;
/** The weight of earlier tasks in a slot's record decays by this factor with every task. */
const RECORD_DECAY = 0.97;
/** What earlier runs have learned about a program has at most the weight of this many tasks. */
const MAX_LEARNED_WEIGHT = 100;

/** The cost of a slot's tasks and the seconds that they took, decayed. `guess`: the slot's initial rate. */
interface SlotRecord {
  guess: number;
  cost: number;
  seconds: number;
}

/**
 * Estimates the cost of tasks, matrix combinations and shards: the seconds on a slot of rate 1. That is the declared duration
 * (`expect`), corrected by how declarations have compared with actual costs; else the mean of its program, earlier runs
 * included; else the mean of all tasks. Rates are relative: they are all 1 where nothing is known about slots.
 */
export class TaskCosts implements CostModel {
  private readonly programs: Map<string, WeightedMean>;
  private readonly all = new WeightedMean();
  private readonly declaredRatio = new WeightedMean();
  private readonly residualTime = new ResidualTime();
  private readonly records = new Map<RateEstimate, SlotRecord>();

  /** `known`: what earlier runs have learned, by program. `reference`: the profile rate that counts as 1. */
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

  /** The number of chunks that have ended. */
  get count(): number {
    return this.all.weight;
  }

  estimate(chunk: Chunk): number | undefined {
    if (chunk.expectedSeconds !== undefined) return chunk.expectedSeconds * (this.declaredRatio.value ?? 1);
    return this.programs.get(programName(chunk))?.value ?? this.all.value;
  }

  estimateAfter(chunk: Chunk, spent: number): number | undefined {
    const length = this.estimate(chunk);
    return length === undefined ? undefined : length * this.residualTime.expectBeyond(spent / length);
  }

  get ninthDecile(): number {
    return this.residualTime.ninthDecile;
  }

  guessRate(rate: number | undefined): number {
    if (rate === undefined) return 1;
    this.reference ??= rate;
    return rate / this.reference;
  }

  learn(estimate: RateEstimate, chunk: Chunk, seconds: number): void {
    this.rates.recordSeconds(seconds);
    const record = this.recordOf(estimate);
    const length = seconds * estimate.rate!;
    const expected = this.estimate(chunk);
    if (expected !== undefined) this.residualTime.add(length / expected);
    this.all.add(length);
    this.meanOfProgram(chunk).add(length);
    if (chunk.expectedSeconds !== undefined)
      this.declaredRatio.add(length / chunk.expectedSeconds, chunk.expectedSeconds);
    record.cost = RECORD_DECAY * record.cost + this.estimate(chunk)!;
    record.seconds = RECORD_DECAY * record.seconds + seconds;
    const prior = PROFILE_WEIGHT * this.all.value!;
    estimate.rate = (record.guess * (prior + record.cost)) / (prior + record.guess * record.seconds);
    estimate.evidence++;
  }

  /** Returns the mean cost by program, for later runs. */
  learned(): Map<string, { seconds: number; count: number }> {
    return new Map([...this.programs].map(([name, { value, weight }]) => [name, { seconds: value!, count: weight }]));
  }

  private recordOf(estimate: RateEstimate): SlotRecord {
    let record = this.records.get(estimate);
    if (record === undefined) {
      estimate.rate ??= 1;
      record = { guess: estimate.rate, cost: 0, seconds: 0 };
      this.records.set(estimate, record);
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

/** Returns the class of tasks whose costs are learned together. */
export function costClassOf(chunk: Chunk): string {
  return chunk.expectedSeconds === undefined ? `program ${programName(chunk)}` : "says what it expects";
}

/** Returns the name of a program on so many GPUs: what it needs on one says little about what it needs on two. */
function programName({ spec }: Chunk): string {
  return spec.gpus === undefined ? nameOf(spec.program) : `${nameOf(spec.program)} on ${spec.gpus} GPUs`;
}

function nameOf(program: Program): string {
  switch (program.kind) {
    case "script":
      return program.script.path;
    case "nodeScript":
      return program.path;
    case "module":
      return program.module;
    case "command":
      return program.command.join(" ");
    default:
      return program satisfies never;
  }
}

import type { Job, Sizing } from "../../executor/job/job.js";
import { sequentialIds } from "../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Slot } from "../../executor/schedule/events.js";
import type { Decider } from "../../executor/schedule/plan/simulator.js";
import { Scheduler } from "../../executor/schedule/scheduler.js";
import { createBenchJob } from "./benchjob.js";
import { type Cluster, createCluster, fluidBound } from "./cluster.js";
import { SeededRandom } from "./prng.js";
import {
  equalSizes,
  factoringSizes,
  fixedFactorSizes,
  guidedSizes,
  SelfScheduling,
  type SizePolicy,
} from "./selfscheduling.js";
import { type SimulationResult, simulate } from "./simulation.js";

/** A sieve of a billion seeds, each chunk of which loads a GPU library. */
const LONG_RUN = { units: 1_000_000_000n, overhead: 3 };
/** The run of bench/real.ts, which takes at least 75 s. */
const SHORT_RUN = { units: 13_350_000n, overhead: 0.45 };
const LOST_AFTER_SECONDS = 60;
const SLOTS = 26;

/** A setting: the true cluster with the rates that the inventory claims, and the noise of chunk durations. */
export interface ContestSetting {
  name: string;
  make: () => Cluster;
  noise: number;
  units: bigint;
  /** The seconds of a chunk before its first unit. */
  overhead: number;
}

export const settings: ContestSetting[] = [
  { name: "exact", make: () => createCluster((rate) => rate), noise: 0, ...LONG_RUN },
  { name: "hard", make: () => createHardCluster(3), noise: 0.2, ...LONG_RUN },
  { name: "hard, guesses the other way", make: () => createHardCluster(1 / 3), noise: 0.2, ...LONG_RUN },
  { name: "hard, no guesses", make: () => createHardCluster(undefined), noise: 0.2, ...LONG_RUN },
  { name: "short", make: createSlowingCluster, noise: 0.2, ...SHORT_RUN },
];

/**
 * Creates a cluster whose claimed rates are off by `factor` for the rigs and by its inverse for zeus. One GPU is throttled
 * to half from 2000 s on, and one rig is away for ten minutes.
 */
function createHardCluster(factor: number | undefined): Cluster {
  const made = createCluster((rate) =>
    factor === undefined ? undefined : rate > 10_000 ? rate / factor : rate * factor,
  );
  made.slots[1]!.rate.push([2000, 14_500]);
  made.outages.push({ node: "rig-6600b", from: 1500, to: 2100 });
  return made;
}

/** Creates a cluster with correct rates, but one fast GPU drops to half its rate after 37 s. */
function createSlowingCluster(): Cluster {
  const made = createCluster((rate) => rate);
  made.slots[0]!.rate.push([37, 14_500]);
  return made;
}

export interface ScheduleContestant {
  name: string;
  createDecider: (job: Job) => Decider;
  sizing?: Sizing;
  /** Whether its workers can split a chunk. */
  isDivisible?: boolean;
}

const time: Sizing = { by: "time", min: 1 };
const capped: Sizing = { by: "time", min: 1, max: 500_000 };
const today: Sizing = { by: "rate", base: 10_000, min: 500, max: 500_000 };
const self = (sizes: () => SizePolicy) => (job: Job) => new SelfScheduling(job, sizes());

export const contestants: ScheduleContestant[] = [
  { name: "muster", createDecider: (job) => new Scheduler(job, sequentialIds()), sizing: time },
  {
    name: "muster, divisible chunks",
    createDecider: (job) => new Scheduler(job, sequentialIds()),
    sizing: time,
    isDivisible: true,
  },
  {
    name: "muster, at most 500,000 seeds a chunk",
    createDecider: (job) => new Scheduler(job, sequentialIds()),
    sizing: capped,
  },
  {
    name: "muster, base 10,000 and its cap",
    createDecider: (job) => new Scheduler(job, sequentialIds()),
    sizing: today,
  },
  { name: "fixed factors (coordinator.py)", createDecider: self(() => fixedFactorSizes(10_000, 5_000)) },
  { name: "guided self-scheduling", createDecider: self(() => guidedSizes(SLOTS, 10_000)) },
  { name: "factoring", createDecider: self(() => factoringSizes(SLOTS, 10_000)) },
  { name: "factoring weighted by the guesses", createDecider: self(() => factoringSizes(SLOTS, 10_000, weight)) },
];

function weight({ rate }: Slot): number {
  return rate === undefined ? 1 / SLOTS : rate / 178_000;
}

export interface ContestScore {
  name: string;
  setting: string;
  /** The makespan divided by the fluid bound: the worst seed, and the mean. */
  worst: number;
  mean: number;
  attempts: number;
}

export function scoreContestant(
  contestant: ScheduleContestant,
  setting: ContestSetting,
  seeds: number[],
): ContestScore {
  const courses = (setting.noise === 0 ? seeds.slice(0, 1) : seeds).map((seed) =>
    simulateContestant(contestant, setting, seed),
  );
  const bound = fluidBound(setting.make(), Number(setting.units));
  const ratios = courses.map((course) => course.makespan / bound);
  return {
    name: contestant.name,
    setting: setting.name,
    worst: Math.max(...ratios),
    mean: ratios.reduce((sum, one) => sum + one, 0) / ratios.length,
    attempts: Math.round(courses.reduce((sum, one) => sum + one.attempts, 0) / courses.length),
  };
}

/** Scores GNU parallel with the best chunk size, which is known only afterwards. */
export function scoreBestEqualChunks(setting: ContestSetting, seeds: number[]): ContestScore {
  const sizes = [20, 50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000].map((thousand) => thousand * 1000);
  const scores = sizes.map((size) =>
    scoreContestant(
      { name: `equal chunks, the best: ${size / 1000}k (parallel)`, createDecider: self(() => equalSizes(size)) },
      setting,
      seeds,
    ),
  );
  return scores.reduce((best, one) => (one.mean < best.mean ? one : best));
}

function simulateContestant(contestant: ScheduleContestant, setting: ContestSetting, seed: number): SimulationResult {
  const chance = new SeededRandom(seed);
  const noise = () => (setting.noise === 0 ? 1 : chance.logNormal(setting.noise));
  const cost = ({ chunk }: Attempt) => Number(chunk.end - chunk.start) * noise();
  const job = createBenchJob(setting.units, contestant.sizing ?? time);
  const course = simulate(
    {
      cluster: setting.make(),
      overhead: setting.overhead,
      cost,
      grace: LOST_AFTER_SECONDS,
      divisible: contestant.isDivisible === true,
    },
    contestant.createDecider(job),
  );
  if (course.units !== setting.units)
    throw new Error(`${contestant.name}: ${course.units} of ${setting.units} units done`);
  return course;
}

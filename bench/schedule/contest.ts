import type { Job, Sizing } from "../../executor/job/job.js";
import { sequentialIds } from "../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Slot } from "../../executor/schedule/events.js";
import { Scheduler } from "../../executor/schedule/scheduler.js";
import { type Cluster, cluster, fluidBound } from "./cluster.js";
import { equalChunks, factoring, fixedFactors, guided, SelfScheduling, type Sizes } from "./contestants.js";
import { jobOf } from "./job.js";
import { Random } from "./random.js";
import { type Course, type Decider, World } from "./world.js";

/** Of CLUSTER.md, and of the issue. */
const LONG = { units: 1_000_000_000n, overhead: 3 };
/** Of bench/real.ts, which takes 75 s at the least. */
const SHORT = { units: 13_350_000n, overhead: 0.45 };
const GRACE = 60;
const SLOTS = 26;

/** A setting: the cluster as it is and as the inventory describes it, and how much chunks vary. */
export interface Setting {
  name: string;
  make: () => Cluster;
  noise: number;
  units: bigint;
  /** Seconds before the first unit of a chunk. */
  overhead: number;
}

export const settings: Setting[] = [
  { name: "exact", make: () => cluster((rate) => rate), noise: 0, ...LONG },
  { name: "hard", make: () => hard(3), noise: 0.2, ...LONG },
  { name: "hard, guesses the other way", make: () => hard(1 / 3), noise: 0.2, ...LONG },
  { name: "hard, no guesses", make: () => hard(undefined), noise: 0.2, ...LONG },
  { name: "short", make: slowing, noise: 0.2, ...SHORT },
];

/**
 * Guesses that are off by `factor` for the rigs and by its inverse for zeus, one GPU throttled to half from 2000 s on, and one
 * rig away for ten minutes.
 */
function hard(factor: number | undefined): Cluster {
  const made = cluster((rate) => (factor === undefined ? undefined : rate > 10_000 ? rate / factor : rate * factor));
  made.slots[1]!.rate.push([2000, 14_500]);
  made.outages.push({ node: "rig-6600b", from: 1500, to: 2100 });
  return made;
}

/** Guesses that are right, but for one fast GPU that runs at half its rate from 37 s on. */
function slowing(): Cluster {
  const made = cluster((rate) => rate);
  made.slots[0]!.rate.push([37, 14_500]);
  return made;
}

export interface Contestant {
  name: string;
  enter: (job: Job) => Decider;
  sizing?: Sizing;
  /** Whether its workers can give a part of their chunk away. */
  divisible?: boolean;
}

const time: Sizing = { by: "time", min: 1 };
const capped: Sizing = { by: "time", min: 1, max: 500_000 };
const today: Sizing = { by: "rate", base: 10_000, min: 500, max: 500_000 };
const self = (sizes: () => Sizes) => (job: Job) => new SelfScheduling(job, sizes());

export const contestants: Contestant[] = [
  { name: "muster", enter: (job) => new Scheduler(job, [], sequentialIds()), sizing: time },
  {
    name: "muster, divisible chunks",
    enter: (job) => new Scheduler(job, [], sequentialIds()),
    sizing: time,
    divisible: true,
  },
  {
    name: "muster, at most 500,000 seeds a chunk",
    enter: (job) => new Scheduler(job, [], sequentialIds()),
    sizing: capped,
  },
  { name: "muster, base 10,000 and its cap", enter: (job) => new Scheduler(job, [], sequentialIds()), sizing: today },
  { name: "fixed factors (coordinator.py)", enter: self(() => fixedFactors(10_000, 5_000)) },
  { name: "guided self-scheduling", enter: self(() => guided(SLOTS, 10_000)) },
  { name: "factoring", enter: self(() => factoring(SLOTS, 10_000)) },
  { name: "factoring weighted by the guesses", enter: self(() => factoring(SLOTS, 10_000, weight)) },
];

function weight({ rate }: Slot): number {
  return rate === undefined ? 1 / SLOTS : rate / 178_000;
}

export interface Score {
  name: string;
  setting: string;
  /** Makespan over the fluid bound: of the worst seed, and on average. */
  worst: number;
  mean: number;
  attempts: number;
}

export function compete(contestant: Contestant, setting: Setting, seeds: number[]): Score {
  const courses = (setting.noise === 0 ? seeds.slice(0, 1) : seeds).map((seed) => race(contestant, setting, seed));
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

/** GNU parallel with the one size for all that does best here, known only afterwards. */
export function bestEqual(setting: Setting, seeds: number[]): Score {
  const sizes = [20, 50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000].map((thousand) => thousand * 1000);
  const scores = sizes.map((size) =>
    compete(
      { name: `equal chunks, the best: ${size / 1000}k (parallel)`, enter: self(() => equalChunks(size)) },
      setting,
      seeds,
    ),
  );
  return scores.reduce((best, one) => (one.mean < best.mean ? one : best));
}

function race(contestant: Contestant, setting: Setting, seed: number): Course {
  const chance = new Random(seed);
  const noise = () => (setting.noise === 0 ? 1 : chance.logNormal(setting.noise));
  const cost = ({ chunk }: Attempt) => Number(chunk.end - chunk.start) * noise();
  const job = jobOf(setting.units, contestant.sizing ?? time);
  const course = new World(
    {
      cluster: setting.make(),
      overhead: setting.overhead,
      cost,
      grace: GRACE,
      divisible: contestant.divisible === true,
    },
    contestant.enter(job),
  ).play();
  if (course.units !== setting.units)
    throw new Error(`${contestant.name}: ${course.units} of ${setting.units} units done`);
  return course;
}

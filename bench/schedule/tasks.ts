import type { Job } from "../../executor/job/job.js";
import { sequentialIds } from "../../executor/schedule/attempts/attemptids.js";
import { Scheduler } from "../../executor/schedule/scheduler.js";
import { type Cluster, cluster, fluidBound } from "./cluster.js";
import { equalChunks, factoring, guided, SelfScheduling, type Sizes } from "./contestants.js";
import { jobOf } from "./job.js";
import { Random } from "./random.js";
import { type Decider, World } from "./world.js";

const TASKS = 2000;
const SLOTS = 26;
const OVERHEAD = 3;
/** Units of an average task, as those of a range: a minute of an RX 6600. */
const MEAN = 300_000;
const SIGMA = 1;
/** Of what expectations are off by. */
const OFF = 0.5;

export interface TaskScore {
  name: string;
  /** Makespan over the fluid bound, and over the bound of whole tasks. */
  fluid: { mean: number; worst: number };
  whole: { mean: number; worst: number };
  attempts: number;
}

/** Tasks as they are: units of each, and what the job says of them beforehand. */
interface Tasks {
  costs: number[];
  job: Job;
}

const self = (sizes: () => Sizes) => (job: Job) => new SelfScheduling(job, sizes());
const contestants: [
  name: string,
  expectation: (cost: number, chance: Random) => number | undefined,
  (job: Job) => Decider,
][] = [
  ["muster, expect exact", (cost) => cost / 5000, (job) => new Scheduler(job, [], sequentialIds())],
  [
    "muster, expect off by 0.5",
    (cost, chance) => (cost / 5000) * chance.logNormal(OFF),
    (job) => new Scheduler(job, [], sequentialIds()),
  ],
  ["muster, nothing known", () => undefined, (job) => new Scheduler(job, [], sequentialIds())],
  ["one queue, a task at a time (parallel)", () => undefined, self(() => equalChunks(1))],
  ["guided self-scheduling", () => undefined, self(() => guided(SLOTS, 1))],
  ["factoring", () => undefined, self(() => factoring(SLOTS, 1))],
];

/** 2,000 tasks of log-normal durations on the cluster, by how much is said of them. */
export function taskScores(seeds: number[]): TaskScore[] {
  return contestants.map(([name, expectation, enter]) => {
    const races = seeds.map((seed) => {
      const tasks = tasksOf(seed, expectation);
      return race(enter(tasks.job), tasks);
    });
    return {
      name,
      fluid: meanAndWorst(races.map((one) => one.fluid)),
      whole: meanAndWorst(races.map((one) => one.whole)),
      attempts: Math.round(races.reduce((sum, one) => sum + one.attempts, 0) / races.length),
    };
  });
}

function tasksOf(seed: number, expectation: (cost: number, chance: Random) => number | undefined): Tasks {
  const chance = new Random(seed);
  const costs = Array.from({ length: TASKS }, () => MEAN * chance.logNormal(SIGMA));
  const expects = costs.map((cost) => expectation(cost, chance));
  const plain = jobOf(BigInt(TASKS), undefined);
  const chunk: Job["chunk"] = (start, end) => ({ ...plain.chunk(start, end), expect: expects[Number(start)] });
  return { costs, job: { ...plain, chunk } };
}

function race(decider: Decider, { costs }: Tasks): { fluid: number; whole: number; attempts: number } {
  const made = cluster((rate) => rate);
  const sum = (from: bigint, to: bigint) => costs.slice(Number(from), Number(to)).reduce((all, one) => all + one, 0);
  const physics = { cluster: made, overhead: OVERHEAD, grace: 60, divisible: false };
  const course = new World({ ...physics, cost: ({ chunk }) => sum(chunk.start, chunk.end) }, decider).play();
  const fluid = fluidBound(made, sum(0n, BigInt(TASKS)));
  return {
    fluid: course.makespan / fluid,
    whole: course.makespan / wholeBound(made, costs),
    attempts: course.attempts,
  };
}

/**
 * No schedule of whole tasks ends sooner: each costs its overhead wherever it runs, though here it may be cut up between slots, and the
 * longest is one piece. Slots are fast or slow; what is longest gains most on a fast one.
 */
function wholeBound({ slots }: Cluster, costs: number[]): number {
  const rates = slots.map((slot) => slot.rate[0]![1]);
  const [fast, slow] = [Math.max(...rates), Math.min(...rates)];
  const [fasts, slows] = [fast, slow].map((rate) => rates.filter((one) => one === rate).length) as [number, number];
  const sorted = costs.toSorted((a, b) => b - a);
  let onFast = 0;
  let onSlow = sorted.reduce((all, cost) => all + OVERHEAD + cost / slow, 0) / slows;
  for (const cost of sorted) {
    const [more, less] = [(OVERHEAD + cost / fast) / fasts, (OVERHEAD + cost / slow) / slows];
    const part = Math.min(1, (onSlow - onFast) / (more + less));
    onFast += part * more;
    onSlow -= part * less;
    if (part < 1) break;
  }
  return Math.max(onFast, OVERHEAD + sorted[0]! / fast);
}

function meanAndWorst(numbers: number[]): { mean: number; worst: number } {
  return { mean: numbers.reduce((sum, one) => sum + one, 0) / numbers.length, worst: Math.max(...numbers) };
}

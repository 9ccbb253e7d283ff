import type { Job } from "../../executor/job/job.js";
import { sequentialIds } from "../../executor/schedule/attempts/attemptids.js";
import type { Decider } from "../../executor/schedule/plan/simulator.js";
import { Scheduler } from "../../executor/schedule/scheduler.js";
import { createBenchJob } from "./benchjob.js";
import { type Cluster, createCluster, fluidBound } from "./cluster.js";
import { SeededRandom } from "./prng.js";
import { equalSizes, factoringSizes, guidedSizes, SelfScheduling, type SizePolicy } from "./selfscheduling.js";
import { simulate } from "./simulation.js";

const TASKS = 2000;
const SLOTS = 26;
const OVERHEAD_SECONDS = 3;
/** The mean units of a task: a minute on an RX 6600. */
const MEAN = 300_000;
const SIGMA = 1;
/** The sigma of the error of expected durations. */
const EXPECTATION_SIGMA = 0.5;

export interface TaskScore {
  name: string;
  /** The makespan divided by the fluid bound, and by the bound of whole tasks. */
  fluid: { mean: number; worst: number };
  whole: { mean: number; worst: number };
  attempts: number;
}

/** The true cost of each task, and the job with what it declares. */
interface DrawnTasks {
  costs: number[];
  job: Job;
}

const self = (sizes: () => SizePolicy) => (job: Job) => new SelfScheduling(job, sizes());
const contestants: [
  name: string,
  expectation: (cost: number, chance: SeededRandom) => number | undefined,
  (job: Job) => Decider,
][] = [
  ["muster, expect exact", (cost) => cost / 5000, (job) => new Scheduler(job, sequentialIds())],
  [
    "muster, expect off by 0.5",
    (cost, chance) => (cost / 5000) * chance.logNormal(EXPECTATION_SIGMA),
    (job) => new Scheduler(job, sequentialIds()),
  ],
  ["muster, nothing known", () => undefined, (job) => new Scheduler(job, sequentialIds())],
  ["one queue, a task at a time (parallel)", () => undefined, self(() => equalSizes(1))],
  ["guided self-scheduling", () => undefined, self(() => guidedSizes(SLOTS, 1))],
  ["factoring", () => undefined, self(() => factoringSizes(SLOTS, 1))],
];

/** Scores 2,000 tasks with log-normal durations on the cluster, by what is declared about them. */
export function scoreTaskContestants(seeds: number[]): TaskScore[] {
  return contestants.map(([name, expectation, enter]) => {
    const races = seeds.map((seed) => {
      const tasks = drawTasks(seed, expectation);
      return simulateTasks(enter(tasks.job), tasks);
    });
    return {
      name,
      fluid: meanAndWorst(races.map((one) => one.fluid)),
      whole: meanAndWorst(races.map((one) => one.whole)),
      attempts: Math.round(races.reduce((sum, one) => sum + one.attempts, 0) / races.length),
    };
  });
}

function drawTasks(seed: number, expectation: (cost: number, chance: SeededRandom) => number | undefined): DrawnTasks {
  const chance = new SeededRandom(seed);
  const costs = Array.from({ length: TASKS }, () => MEAN * chance.logNormal(SIGMA));
  const expects = costs.map((cost) => expectation(cost, chance));
  const plain = createBenchJob(BigInt(TASKS), undefined);
  const chunk: Job["chunk"] = (start, end) => ({ ...plain.chunk(start, end), expectedSeconds: expects[Number(start)] });
  return { costs, job: { ...plain, chunk } };
}

function simulateTasks(decider: Decider, { costs }: DrawnTasks): { fluid: number; whole: number; attempts: number } {
  const made = createCluster((rate) => rate);
  const sum = (from: bigint, to: bigint) => costs.slice(Number(from), Number(to)).reduce((all, one) => all + one, 0);
  const physics = { cluster: made, overhead: OVERHEAD_SECONDS, grace: 60, divisible: false };
  const course = simulate({ ...physics, cost: ({ chunk }) => sum(chunk.start, chunk.end) }, decider);
  const fluid = fluidBound(made, sum(0n, BigInt(TASKS)));
  return {
    fluid: course.makespan / fluid,
    whole: course.makespan / wholeTaskBound(made, costs),
    attempts: course.attempts,
  };
}

/**
 * Returns a lower bound of the makespan of whole tasks: each costs its overhead wherever it runs, though it may be divided
 * between slots here, and the longest task runs in one piece. Slots are fast or slow; the longest tasks gain most on fast
 * ones.
 */
function wholeTaskBound({ slots }: Cluster, costs: number[]): number {
  const rates = slots.map((slot) => slot.rate[0]![1]);
  const [fast, slow] = [Math.max(...rates), Math.min(...rates)];
  const [fasts, slows] = [fast, slow].map((rate) => rates.filter((one) => one === rate).length) as [number, number];
  const sorted = costs.toSorted((a, b) => b - a);
  let onFast = 0;
  let onSlow = sorted.reduce((all, cost) => all + OVERHEAD_SECONDS + cost / slow, 0) / slows;
  for (const cost of sorted) {
    const [more, less] = [(OVERHEAD_SECONDS + cost / fast) / fasts, (OVERHEAD_SECONDS + cost / slow) / slows];
    const part = Math.min(1, (onSlow - onFast) / (more + less));
    onFast += part * more;
    onSlow -= part * less;
    if (part < 1) break;
  }
  return Math.max(onFast, OVERHEAD_SECONDS + sorted[0]! / fast);
}

function meanAndWorst(numbers: number[]): { mean: number; worst: number } {
  return { mean: numbers.reduce((sum, one) => sum + one, 0) / numbers.length, worst: Math.max(...numbers) };
}

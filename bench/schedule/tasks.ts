import { Scheduler } from "../../executor/schedule/scheduler.js";
import { cluster, fluidBound } from "./cluster.js";
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

export interface TaskScore {
  name: string;
  worst: number;
  mean: number;
}

const job = jobOf(BigInt(TASKS), undefined);
const self = (sizes: Sizes) => () => new SelfScheduling(job, sizes);
const contestants: [string, () => Decider][] = [
  ["muster", () => new Scheduler(job, [], 1)],
  ["one queue, a task at a time (parallel)", self(equalChunks(1))],
  ["guided self-scheduling", self(guided(SLOTS, 1))],
  ["factoring", self(factoring(SLOTS, 1))],
];

/** Tasks whose durations are log-normal and not known before: makespan over the fluid bound. */
export function taskScores(seeds: number[]): TaskScore[] {
  return contestants.map(([name, enter]) => {
    const ratios = seeds.map((seed) => race(enter(), seed));
    return { name, worst: Math.max(...ratios), mean: ratios.reduce((sum, one) => sum + one, 0) / ratios.length };
  });
}

function race(decider: Decider, seed: number): number {
  const chance = new Random(seed);
  const costs = Array.from({ length: TASKS }, () => MEAN * chance.logNormal(SIGMA));
  const made = cluster((rate) => rate);
  const sum = (from: bigint, to: bigint) => costs.slice(Number(from), Number(to)).reduce((all, one) => all + one, 0);
  const physics = { cluster: made, overhead: OVERHEAD, grace: 60, divisible: false };
  const { makespan } = new World({ ...physics, cost: ({ chunk }) => sum(chunk.start, chunk.end) }, decider).play();
  return makespan / fluidBound(made, sum(0n, BigInt(TASKS)));
}

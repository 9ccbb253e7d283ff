import type { Job } from "../../executor/job/job.js";
import { sequentialIds } from "../../executor/schedule/attempts/attemptids.js";
import type { Slot } from "../../executor/schedule/events.js";
import type { Decider } from "../../executor/schedule/plan/simulator.js";
import type { LearnedRates } from "../../executor/schedule/rates/rates.js";
import { Scheduler } from "../../executor/schedule/scheduler.js";
import { createBenchJob } from "./benchjob.js";
import { type CellRun, type CellSetting, drawCell } from "./cells.js";
import { clairvoyantBound } from "./cluster.js";
import { SeededRandom } from "./prng.js";
import { adaptiveSizes, equalSizes, factoringSizes, SelfScheduling } from "./selfscheduling.js";
import { simulate } from "./simulation.js";

/** When a node that has disconnected is lost, in seconds. */
const GRACE_SECONDS = 60;
/** The seed of an earlier run is larger by this. */
const EARLIER_SEEDS = 100_000;
/** The numbers of chunks a slot among which the best is chosen for equal chunks. */
const EQUAL_CHUNKS_PER_SLOT = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64];

/** The makespan over the clairvoyant bound. */
export interface CellScore {
  name: string;
  mean: number;
  worst: number;
}

type CreateDecider = (job: Job, run: CellRun, cell: CellSetting) => Decider;

const muster: CreateDecider = (job, { expected, learned }) => createMuster(job, expected, learned);

function createMuster(job: Job, expected: CellRun["expected"], learned: LearnedRates): Scheduler {
  return new Scheduler(job, sequentialIds(), { expected, learned });
}

/** The contestants that know no more than muster does. */
const OTHERS: [name: string, create: CreateDecider][] = [
  [
    "factoring",
    (job, run, cell) => new SelfScheduling(job, factoringSizes(run.cluster.slots.length, leastOf(run, cell))),
  ],
  [
    "weighted factoring",
    (job, run, cell) => {
      const total = sumGuesses(run);
      const weight = ({ rate }: Slot) => rate! / total;
      return new SelfScheduling(job, factoringSizes(run.cluster.slots.length, leastOf(run, cell), weight));
    },
  ],
  ["AWF-B", (job, run, cell) => new SelfScheduling(job, adaptive("batch", run, cell))],
  ["AWF-C", (job, run, cell) => new SelfScheduling(job, adaptive("chunk", run, cell))],
];

function adaptive(every: "batch" | "chunk", run: CellRun, cell: CellSetting) {
  const slots = [...run.expected.values()].flatMap((node) => node.slots);
  return adaptiveSizes(every, slots, leastOf(run, cell), cell.overhead, ({ rate }) => rate!);
}

/** The other contestants' smallest chunk: as long as the overhead on an average slot. */
function leastOf(run: CellRun, { overhead }: CellSetting): number {
  return Math.max(1, (overhead * sumGuesses(run)) / run.cluster.slots.length);
}

function sumGuesses({ cluster }: CellRun): number {
  return cluster.slots.reduce((sum, { guess }) => sum + guess!, 0);
}

/** Scores muster first, then the other contestants, on the same draws of a cell. */
export function scoreCell(cell: CellSetting, seconds: number, seeds: readonly number[]): CellScore[] {
  const scoreOf = (name: string, create: CreateDecider) =>
    summarizeRatios(
      name,
      seeds.map((seed) => playCell(cell, seconds, seed, create, name === "muster")),
    );
  const equal = EQUAL_CHUNKS_PER_SLOT.map((count) =>
    scoreOf(
      "equal chunks at the best size",
      (job, run) => new SelfScheduling(job, equalSizes(run.units / (count * run.cluster.slots.length))),
    ),
  );
  return [
    scoreOf("muster", muster),
    ...OTHERS.map(([name, create]) => scoreOf(name, create)),
    equal.reduce((best, one) => (one.mean < best.mean ? one : best)),
  ];
}

function summarizeRatios(name: string, ratios: number[]): CellScore {
  return { name, mean: ratios.reduce((sum, one) => sum + one, 0) / ratios.length, worst: Math.max(...ratios) };
}

function playCell(cell: CellSetting, seconds: number, seed: number, create: CreateDecider, isMuster: boolean): number {
  const run = drawCell(cell, seconds, seed);
  if (isMuster && cell.known === "learned") run.learned.deviation = learnDeviation(cell, seconds, seed);
  const makespan = simulateCell(cell, run, seed, isMuster, (job) => create(job, run, cell));
  return makespan / clairvoyantBound(run.cluster, run.units, cell.overhead);
}

/** Returns how far durations were from predictions in an earlier run of the same kind: what muster remembers of it beside the rates. */
function learnDeviation(cell: CellSetting, seconds: number, seed: number): number | undefined {
  const earlier = drawCell(cell, seconds, seed + EARLIER_SEEDS);
  let scheduler: Scheduler | undefined;
  simulateCell(cell, earlier, seed + EARLIER_SEEDS, true, (job) => {
    scheduler = createMuster(job, earlier.expected, earlier.learned);
    return scheduler;
  });
  return scheduler!.learned().deviation;
}

/** Returns the makespan of a decider. */
function simulateCell(
  cell: CellSetting,
  run: CellRun,
  seed: number,
  isMuster: boolean,
  create: (job: Job) => Decider,
): number {
  const chance = new SeededRandom(seed + 1000);
  const job = createBenchJob(BigInt(run.units), { by: "time", min: 1 });
  const result = simulate(
    {
      cluster: run.cluster,
      overhead: cell.overhead,
      cost: ({ chunk }) => Number(chunk.end - chunk.start) * chance.logNormal(cell.noise),
      grace: GRACE_SECONDS,
      divisible: isMuster && cell.progress,
    },
    create(job),
  );
  if (result.units !== job.units) throw new Error(`${cell.name}: ${result.units} of ${job.units} units done`);
  return result.makespan;
}

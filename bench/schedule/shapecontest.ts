import type { Job } from "../../executor/job/job.js";
import { sequentialIds } from "../../executor/schedule/attempts/attemptids.js";
import type { Slot } from "../../executor/schedule/events.js";
import { type Decider, Simulator } from "../../executor/schedule/plan/simulator.js";
import { Scheduler } from "../../executor/schedule/scheduler.js";
import { benchSpec, createBenchJob } from "./benchjob.js";
import { SeededRandom } from "./prng.js";
import { ChunkQueue, firstInFirstOut, plainBackfill } from "./queues.js";

const TASKS = 600;
const NODES = 3;
const GPUS_PER_NODE = 8;
const MEAN_SECONDS = 60;
const SIGMA = 1;
/** How many GPUs tasks need, with the share of tasks that need at most as many. */
const WIDTHS = [
  [1, 0.7],
  [2, 0.85],
  [4, 0.95],
  [8, 1],
] as const;
const WIDEST = 8;

interface ShapedTask {
  gpus: number;
  seconds: number;
}

/** The makespan divided by the bound, and when tasks for all GPUs of a node began, as a share of the makespan. */
export interface ShapeScore {
  name: string;
  mean: number;
  worst: number;
  meanStart: number;
  lastStart: number;
}

const contestants: [name: string, isExpected: boolean, enter: (job: Job) => Decider][] = [
  ["muster, expect exact", true, (job) => new Scheduler(job, sequentialIds())],
  ["muster, nothing known", false, (job) => new Scheduler(job, sequentialIds())],
  ["first in, first out", false, (job) => new ChunkQueue(job, firstInFirstOut)],
  ["plain backfill: whatever fits starts", false, (job) => new ChunkQueue(job, plainBackfill)],
];

/** Scores 600 tasks for one to eight GPUs, all there from the start, on three nodes of eight GPUs. */
export function scoreShapeContestants(seeds: readonly number[]): ShapeScore[] {
  return contestants.map(([name, isExpected, enter]) => {
    const races = seeds.map((seed) => simulateShapes(drawTasks(seed), isExpected, enter));
    const mean = (of: (race: (typeof races)[number]) => number) =>
      races.reduce((sum, race) => sum + of(race), 0) / races.length;
    return {
      name,
      mean: mean(({ ratio }) => ratio),
      worst: Math.max(...races.map(({ ratio }) => ratio)),
      meanStart: mean(({ meanStart }) => meanStart),
      lastStart: mean(({ lastStart }) => lastStart),
    };
  });
}

function drawTasks(seed: number): ShapedTask[] {
  const chance = new SeededRandom(seed);
  return Array.from({ length: TASKS }, () => {
    const drawn = chance.next();
    const [gpus] = WIDTHS.find(([, share]) => drawn < share)!;
    return { gpus, seconds: MEAN_SECONDS * chance.logNormal(SIGMA) };
  });
}

function createJob(tasks: readonly ShapedTask[], isExpected: boolean): Job {
  const plain = createBenchJob(BigInt(TASKS), undefined);
  const chunk: Job["chunk"] = (start, end) => {
    const { gpus, seconds } = tasks[Number(start)]!;
    const spec = gpus === 1 ? benchSpec : { ...benchSpec, gpus };
    return { ...plain.chunk(start, end), spec, ...(isExpected ? { expectedSeconds: seconds } : {}) };
  };
  return { ...plain, chunk, gpuCounts: { fewest: 1, most: WIDEST } };
}

function simulateShapes(
  tasks: readonly ShapedTask[],
  isExpected: boolean,
  enter: (job: Job) => Decider,
): { ratio: number; meanStart: number; lastStart: number } {
  const wideStarts: number[] = [];
  let makespan = 0;
  let committed = 0;
  const simulator: Simulator = new Simulator(enter(createJob(tasks, isExpected)), {
    endOf({ chunk }, now) {
      const { gpus, seconds } = tasks[Number(chunk.start)]!;
      if (gpus === WIDEST) wideStarts.push(now);
      return now + seconds;
    },
    onCommit() {
      makespan = simulator.clock.now;
      committed++;
    },
  });
  simulator.open(
    Array.from({ length: NODES }, (_, n) => {
      const node = `n${n}`;
      const slots = Array.from({ length: GPUS_PER_NODE }, (_, slot): Slot => ({ node, slot, gpu: slot }));
      return { node, slots, limit: GPUS_PER_NODE };
    }),
  );
  simulator.run();
  if (committed !== TASKS) throw new Error(`${committed} of ${TASKS} tasks have ended`);
  return {
    ratio: makespan / boundOf(tasks),
    meanStart: wideStarts.reduce((sum, one) => sum + one, 0) / wideStarts.length / makespan,
    lastStart: Math.max(...wideStarts) / makespan,
  };
}

/** Returns a lower bound of the makespan: all GPUs always busy, or the longest task. */
function boundOf(tasks: readonly ShapedTask[]): number {
  const work = tasks.reduce((sum, { gpus, seconds }) => sum + gpus * seconds, 0);
  return Math.max(work / (NODES * GPUS_PER_NODE), ...tasks.map(({ seconds }) => seconds));
}

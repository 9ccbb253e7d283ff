import fc from "fast-check";
import t from "tap";
import type { Chunk } from "../../../../executor/job/job.js";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Slot } from "../../../../executor/schedule/events.js";
import { Simulator } from "../../../../executor/schedule/plan/simulator.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { widthOf } from "../../../../executor/schedule/slots/slotgroups.js";
import { runs, slots, taskJob } from "../schedulefixture.js";

interface Task {
  gpus: number;
  seconds: number;
}

interface Execution extends Task {
  id: string;
  start: number;
  end: number;
  places: string[];
}

/** How many GPUs a node has, or how many of each kind. */
type NodeGpus = number | number[];

/** The slots of a node; those of several kinds say which they are. */
function slotsOf(node: string, gpus: NodeGpus): Slot[] {
  if (typeof gpus === "number") return slots(node, gpus);
  const kinds = gpus.flatMap((count, kind) => Array.from({ length: count }, (_, device) => ({ kind, device })));
  return kinds.map(({ kind, device }, slot) => {
    const card = { kind: `k${kind}`, vendor: kind === 0 ? "nvidia" : "amd", device } as const;
    return { node, slot, gpu: slot, card };
  });
}

/** Runs tasks, all of them there from the start, on nodes with these GPUs. Their durations are known if `isExpected`. */
function play(tasks: Task[], nodes: NodeGpus[], isExpected = true): Execution[] {
  const fleet = nodes.map((gpus, at) => ({ node: `n${at}`, slots: slotsOf(`n${at}`, gpus) }));
  const kindOf = (node: string, slot: number) => fleet.find((one) => one.node === node)?.slots[slot]?.card?.kind;
  const chunks = tasks.map(
    ({ gpus, seconds }): Partial<Chunk> => ({
      ...(isExpected ? { expectedSeconds: seconds } : {}),
      spec: { ...runs("a").spec, ...(gpus > 1 ? { gpus } : {}) },
    }),
  );
  const counts = tasks.map(({ gpus }) => gpus);
  const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
  const job = taskJob(chunks, most > 1 ? { gpuCounts: { fewest, most } } : {});
  const executions: Execution[] = [];
  const simulator = new Simulator(new Scheduler(job, sequentialIds()), {
    endOf({ chunk, node, slot, slots: all = [slot] }: Attempt, now) {
      const task = tasks[Number(chunk.start)]!;
      const end = now + task.seconds;
      executions.push({ ...task, id: chunk.id, start: now, end, places: all.map((one) => `${node}/${one}`) });
      if (all.length !== widthOf(chunk)) throw new Error(`${chunk.id} got ${all.length} slots`);
      if (new Set(all.map((one) => kindOf(node, one))).size > 1) throw new Error(`${chunk.id} got GPUs of two kinds`);
      return end;
    },
  });
  simulator.open(fleet.map((one) => ({ ...one, limit: one.slots.length })));
  simulator.run();
  return executions;
}

/** Returns two executions that had a slot at the same time; undefined = there are none. */
function findOverlap(all: Execution[]): [Execution, Execution] | undefined {
  for (const one of all)
    for (const other of all)
      if (one !== other && one.start < other.end && other.start < one.end)
        if (one.places.some((place) => other.places.includes(place))) return [one, other];
  return undefined;
}

const repeat = (count: number, gpus: number, seconds: (n: number) => number): Task[] =>
  Array.from({ length: count }, (_, n) => ({ gpus, seconds: seconds(n) }));

/** `busy`: the least share of the GPUs' time that must be used. `wait`: the seconds by which the widest chunks have begun. */
const TABLE: { what: string; tasks: Task[]; nodes: NodeGpus[]; busy: number; wait: number; isExpected?: boolean }[] = [
  {
    ...{ what: "4 pairs among 200 equal ones", nodes: [8], busy: 0.85, wait: 330 },
    tasks: [...repeat(200, 1, () => 30), ...repeat(4, 2, () => 60)],
  },
  {
    ...{ what: "a chunk for the whole node", nodes: [4], busy: 0.75, wait: 130 },
    tasks: [...repeat(60, 1, (n) => 10 + (n % 7) * 10), ...repeat(1, 4, () => 60)],
  },
  {
    ...{ what: "unknown durations", nodes: [4, 4], busy: 0.7, wait: 700, isExpected: false },
    tasks: [...repeat(100, 1, (n) => 10 + (n % 5) * 10), ...repeat(6, 3, () => 40)],
  },
  {
    ...{ what: "pairs and triples of three nodes", nodes: [8, 8, 2], busy: 0.85, wait: 500 },
    tasks: [...repeat(150, 1, (n) => 20 + (n % 3) * 10), ...repeat(20, 2, () => 45), ...repeat(10, 3, () => 45)],
  },
  {
    ...{ what: "pairs and triples of nodes with two kinds of GPU", nodes: [[1, 4], [3, 2], 4], busy: 0.85, wait: 500 },
    tasks: [...repeat(150, 1, (n) => 20 + (n % 3) * 10), ...repeat(15, 2, () => 45), ...repeat(8, 3, () => 45)],
  },
  {
    ...{ what: "chunks that are looked at before any slot is idle", nodes: [[3, 2], 4], busy: 0.7, wait: 3 },
    tasks: [
      [3, 1],
      [2, 1],
      [2, 2],
      [3, 3],
      [2, 2],
      [1, 1],
      [3, 4],
      [1, 1],
    ].map(([gpus, seconds]) => ({
      gpus: gpus!,
      seconds: seconds!,
    })),
  },
];

for (const { what, tasks, nodes, busy, wait, isExpected } of TABLE)
  t.test(`mixed load: ${what}`, async (t) => {
    const all = play(tasks, nodes, isExpected);
    t.equal(new Set(all.map(({ id }) => id)).size, tasks.length, "every chunk runs");
    t.equal(findOverlap(all), undefined);
    const makespan = Math.max(...all.map(({ end }) => end));
    const work = all.reduce((sum, { gpus, seconds }) => sum + gpus * seconds, 0);
    const share = work / (makespan * nodes.flat().reduce((sum, count) => sum + count, 0));
    const widest = Math.max(...tasks.map(({ gpus }) => gpus));
    const last = Math.max(...all.filter(({ gpus }) => gpus === widest).map(({ start }) => start));
    t.comment(
      `${what}: ${makespan} s, GPUs busy ${Math.round(100 * share)} %, chunks for ${widest} began by ${last} s`,
    );
    t.ok(share >= busy, `GPUs are busy ${share}`);
    t.ok(last <= wait, `chunks for ${widest} GPUs began by ${last} s`);
  });

t.test("a node that becomes idle at once goes to the next chunk that needs all of it", async (t) => {
  const tasks = [...repeat(9, 8, (n) => 20 + 7 * (n % 4)), ...repeat(60, 1, (n) => 10 + (n % 7) * 10)];
  const all = play(tasks, [8, 8, 8], false);
  const lastWide = Math.max(...all.filter(({ gpus }) => gpus === 8).map(({ start }) => start));
  const firstNarrow = Math.min(...all.filter(({ gpus }) => gpus === 1).map(({ start }) => start));
  t.ok(
    firstNarrow >= lastWide,
    `chunks for one GPU began at ${firstNarrow} s, the last one for eight at ${lastWide} s`,
  );
});

t.test(
  "property: no slot has two chunks, every chunk runs, and chunks for several GPUs wait for a bounded time",
  async (t) => {
    const task = fc.record({ gpus: fc.constantFrom(1, 1, 1, 2, 3), seconds: fc.integer({ min: 1, max: 60 }) });
    const count = fc.integer({ min: 1, max: 4 });
    const nodes = fc.array(fc.oneof(count, fc.array(count, { minLength: 2, maxLength: 3 })), { maxLength: 2 });
    const first = fc.constantFrom<NodeGpus>(3, [1, 3], [3, 2]);
    let backfilled = 0;
    fc.assert(
      fc.property(
        fc.array(task, { minLength: 1, maxLength: 60 }),
        first,
        nodes,
        fc.boolean(),
        (tasks, one, others, isExpected) => {
          const all = play(tasks, [one, ...others], isExpected);
          if (findOverlap(all) !== undefined || all.length < tasks.length) return false;
          const longest = Math.max(...tasks.map(({ seconds }) => seconds));
          const wide = all.filter(({ gpus }) => gpus > 1).sort((a, b) => a.start - b.start);
          backfilled += all.filter(
            ({ gpus, start }) => gpus === 1 && start > 0 && wide.some((one) => one.start > start),
          ).length;
          // Each waits for the chunks that run when its turn comes, and for those for several GPUs before it.
          const slack = isExpected ? longest : 2 * longest;
          let before = 0;
          for (const { start, seconds } of wide) {
            if (start > before + slack) return false;
            before += slack + seconds;
          }
          return true;
        },
      ),
      { numRuns: 300 },
    );
    t.ok(backfilled > 0, `${backfilled} chunks for one GPU ran before others for several`);
  },
);

import fc from "fast-check";
import t from "tap";
import type { Job } from "../../../executor/job/job.js";
import type { Attempt } from "../../../executor/schedule/events.js";
import {
  type EndingNode,
  type EndingRun,
  type EndingRunOutcome,
  isCommittedOnce,
  simulateEndingNodes,
} from "./endingnodes.js";
import { countEvents } from "./rareevents.js";
import { rangeJob, runs, taskJob } from "./schedulefixture.js";

const units = ({ chunk }: Attempt) => Number(chunk.end - chunk.start);
const declared = ({ chunk }: Attempt) => chunk.expectedSeconds ?? 20;

/** Nodes that last `lifetime` seconds, one every `every` seconds. */
function successive(count: number, every: number, lifetime: number, change: Partial<EndingNode> = {}): EndingNode[] {
  const one = { lifetime, slots: 2, rate: 1, isRateKnown: true, vanishes: false, ...change };
  return Array.from({ length: count }, (_, index) => ({ ...one, at: index * every }));
}

const range = fc
  .record({
    units: fc.integer({ min: 1, max: 3000 }),
    min: fc.integer({ min: 1, max: 5 }),
    target: fc.integer({ min: 5, max: 400 }),
    byRate: fc.boolean(),
  })
  .map(({ units: count, min, target, byRate }): Job => {
    const max = 500;
    return rangeJob(BigInt(count), {
      sizing: byRate ? { by: "rate", base: 50, min, max } : { by: "time", target, min },
    });
  });
const task = fc.record({
  expectedSeconds: fc.integer({ min: 1, max: 80 }),
  priority: fc.option(fc.integer({ min: -2, max: 2 }), { nil: undefined }),
  spec: fc.constantFrom(undefined, undefined, 2).map((gpus) => ({ ...runs("a").spec, gpus })),
});
const gpuCounts = { fewest: 1, most: 2 };
const tasks = fc.array(task, { minLength: 1, maxLength: 60 }).map((list) => taskJob(list, { gpuCounts }));

/** Nodes at random times. The last ones join one after the other, so that all work can be done. */
const arrivals = (
  isRateKnown: fc.Arbitrary<boolean>,
  lifetime: fc.Arbitrary<number | undefined>,
  rate: fc.Arbitrary<number>,
) =>
  fc
    .array(
      fc.record({
        at: fc.integer({ min: 0, max: 2000 }),
        lifetime,
        slots: fc.integer({ min: 2, max: 4 }),
        rate,
        isRateKnown,
        vanishes: fc.boolean(),
      }),
      { minLength: 1, maxLength: 8 },
    )
    .chain((nodes) => rate.map((own) => ({ nodes: [...successive(1, 1, 150, { rate: own }), ...nodes], rate: own })));

/** Adds nodes that join one after the other, on which all work can be done. */
function withSuccessors({ nodes, rate }: { nodes: EndingNode[]; rate: number }): EndingNode[] {
  return [...nodes, ...successive(120, 130, 150, { rate }).map((node) => ({ ...node, at: node.at + 2000 }))];
}

/** Throws where an outcome is not as it must be. */
function check(outcome: EndingRunOutcome, job: Job): void {
  const { hasEnded, lateStarts, stuck, givenUp, committed } = outcome;
  const isSound = hasEnded && lateStarts.length === 0 && stuck === 0 && givenUp.length === 0;
  if (isSound && isCommittedOnce(outcome, job)) return;
  const counts = [...committed.values()];
  const twice = counts.filter((count) => count > 1).length;
  const left = Number(job.units) - counts.length;
  const failures = givenUp.map(({ failure }) => failure.reason);
  throw new Error(JSON.stringify({ hasEnded, lateStarts, stuck, failures, twice, left }));
}

const noises = fc.infiniteStream(fc.double({ min: 0.7, max: 1.6, noNaN: true }));

for (const [what, jobs, costOf] of [
  ["a range", range, units],
  ["tasks", tasks, declared],
] as const) {
  const lifetimes = fc.option(fc.integer({ min: 6, max: 150 }), { nil: undefined, freq: 8 });
  t.test(
    `property: ${what} on nodes that end is computed exactly once, and nothing starts after a deadline`,
    async (t) => {
      const nodes = arrivals(fc.boolean(), lifetimes, fc.constantFrom(1, 2, 5));
      const seen = countEvents(["cutOff"], () => {
        let cutOff = 0;
        fc.assert(
          fc.property(jobs, nodes, noises, fc.boolean(), (job, list, noise, isSplittable) => {
            const cost = (attempt: Attempt) => costOf(attempt) * noise.next().value;
            const inTurn = withSuccessors(list);
            const outcome = simulateEndingNodes({ job, nodes: inTurn, cost, overhead: 0.5, isSplittable });
            cutOff += outcome.cutOff.length;
            check(outcome, job);
          }),
          { numRuns: 150 },
        );
        return new Map([["cutOff", cutOff]]);
      });
      t.ok(seen.get("cutOff")! > 0, `${seen.get("cutOff")} attempts were cut off`);
    },
  );

  t.test(`property: with exact rates no chunk of ${what} is cut off by a deadline`, async (t) => {
    let starts = 0;
    const nodes = arrivals(fc.constant(true), fc.constant(150), fc.constant(1));
    fc.assert(
      fc.property(jobs, nodes, (job, list) => {
        const outcome = simulateEndingNodes({ job, nodes: withSuccessors(list), cost: costOf, overhead: 0 });
        check(outcome, job);
        starts += outcome.starts;
        const [first] = outcome.cutOff;
        if (first !== undefined) throw new Error(`${first.chunk.id} on ${first.node} was cut off`);
      }),
      { numRuns: 150 },
    );
    t.ok(starts > 150, `${starts} chunks were started`);
  });
}

/** Runs a job on nodes of two slots without noise. */
function run(job: Job, nodes: readonly EndingNode[], change: Partial<EndingRun> = {}) {
  return simulateEndingNodes({ job, nodes, cost: job.kind === "range" ? units : declared, overhead: 0, ...change });
}

t.test("a range is cut to fit: a node that lasts 100 s is at work for nearly all of them", async (t) => {
  const job = rangeJob(10_000n, { sizing: { by: "time", target: 600, min: 1 } });
  const outcome = run(job, successive(80, 110, 100));
  t.ok(outcome.hasEnded);
  t.equal(outcome.cutOff.length, 0);
  const used = 10_000 / 2 / (outcome.seconds - (10 * outcome.seconds) / 110);
  t.ok(used > 0.85, `${(100 * used).toFixed(0)} % of the slots' time`);
});

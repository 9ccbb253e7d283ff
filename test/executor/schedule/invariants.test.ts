import fc from "fast-check";
import t from "tap";
import type { Job } from "../../../executor/job/job.js";
import { RandomRun } from "./randomrun.js";
import { countEvents } from "./rareevents.js";
import { rangeJob, runs, taskJob } from "./schedulefixture.js";

/**
 * Runs `numRuns` random jobs; every unit must be committed or given up exactly once. Returns how often each instruction was
 * given.
 */
function playAll(jobs: fc.Arbitrary<Job>, pace: number, numRuns: number, hasDeadlines = false): Map<string, number> {
  const choices = fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 50, maxLength: 400 });
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(jobs, choices, (job, list) => {
      const run = new RandomRun(job, pace);
      run.hasDeadlines = hasDeadlines;
      if (hasDeadlines) run.send({ type: "moreNodesExpected", expected: true });
      for (const choice of list) if (!run.hasEnded) run.step(choice);
      run.calm();
      const { outcome } = run;
      for (const [what, count] of outcome.counts) seen.set(what, (seen.get(what) ?? 0) + count);
      for (const [what, count] of [
        ["copies", outcome.copies],
        ["holds", outcome.holds],
        ["released", outcome.released],
      ] as const)
        seen.set(what, (seen.get(what) ?? 0) + count);
      const once = [...outcome.covered.values()].every((times) => times === 1);
      const sound = outcome.late === 0 && outcome.mute === 0;
      return outcome.count("end") === 1 && once && sound && outcome.covered.size === Number(job.units);
    }),
    { numRuns },
  );
  return seen;
}

const ranges = fc.integer({ min: 1, max: 400 }).map((units) => rangeJob(BigInt(units)));
const task = fc.record({
  expectedSeconds: fc.option(fc.integer({ min: 1, max: 500 }), { nil: undefined }),
  priority: fc.option(fc.integer({ min: -2, max: 2 }), { nil: undefined }),
  gpu: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined, freq: 6 }),
  spec: fc.constantFrom("a", "b").map((program) => runs(program).spec),
});
const lists = fc.array(task, { minLength: 1, maxLength: 120 }).map((tasks) => taskJob(tasks));

const wideTask = fc.record({
  expectedSeconds: fc.option(fc.integer({ min: 1, max: 500 }), { nil: undefined }),
  spec: fc.constantFrom(undefined, undefined, 2, 3).map((gpus) => ({ ...runs("a").spec, gpus })),
});
const gpuCounts = { fewest: 1, most: 3 };
const wideLists = fc.array(wideTask, { minLength: 1, maxLength: 120 }).map((tasks) => taskJob(tasks, { gpuCounts }));

const KINDS: [what: string, jobs: fc.Arbitrary<Job>, pace: number, count: number, decided: string[]][] = [
  ["a range", ranges, 1, 200, ["drop", "withdraw", "split", "copies", "holds", "released"]],
  ["tasks", lists, 60, 600, ["withdraw", "copies", "give-up"]],
  ["tasks on one to three GPUs", wideLists, 60, 300, ["withdraw", "give-up"]],
];
for (const [what, jobs, pace, count, decided] of KINDS)
  t.test(
    `property: whatever happens to ${what}, every unit is committed or given up once, and the run ends`,
    async (t) => {
      const seen = countEvents(decided, () => playAll(jobs, pace, count));
      for (const one of decided) t.ok(seen.get(one)! > 0, `${one}: ${seen.get(one)} times`);
    },
  );

for (const [what, jobs, pace, count] of KINDS)
  t.test(`property: the same for ${what} while nodes come and go with deadlines`, async (t) => {
    const seen = playAll(jobs, pace, count / 2, true);
    for (const one of ["start", "withdraw", "end"]) t.ok((seen.get(one) ?? 0) > 0, `${one}: ${seen.get(one)} times`);
  });

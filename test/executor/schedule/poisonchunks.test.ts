import fc from "fast-check";
import t from "tap";
import type { Job } from "../../../executor/job/job.js";
import { RandomRun } from "./randomrun.js";
import { rangeJob, taskJob } from "./schedulefixture.js";

/** The tries of a chunk in the fixture's jobs. */
const ATTEMPTS = 3;

const units = fc.integer({ min: 1, max: 120 });
const KINDS: [what: string, jobs: fc.Arbitrary<Job>][] = [
  ["a range", units.map((count) => rangeJob(BigInt(count)))],
  ["tasks", units.map((count) => taskJob(Array.from({ length: count }, () => ({}))))],
];

/** Faults in addition to the usual ones. */
interface ExtraFaults {
  /** Agents are killed from outside. */
  outside: boolean;
  /** Nodes are lost and return later. */
  away: boolean;
}

/** Runs random jobs with chunks that always kill their agents. Returns the number of agent deaths. */
function playAll(jobs: fc.Arbitrary<Job>, { outside, away }: ExtraFaults): number {
  const choices = fc.array(fc.integer({ min: 0, max: 109 }), { minLength: 20, maxLength: 300 });
  const killers = fc.uniqueArray(fc.integer({ min: 0, max: 119 }), { minLength: 0, maxLength: 4 });
  let deaths = 0;
  fc.assert(
    fc.property(jobs, choices, killers, (job, list, numbers) => {
      const run = new RandomRun(job, 1, new Set(numbers.map(BigInt)));
      run.deathsAreFoundLate = away;
      for (const choice of list) {
        const node = choice % 2 === 0 ? "a" : "b";
        if (run.hasEnded) break;
        if (choice < 100) run.step(choice);
        else if (choice < 105 && outside) run.die(node);
        else if (choice >= 105 && away) run.leave(node);
      }
      run.calm();
      const { outcome } = run;
      const counts = [...outcome.deaths.values()];
      deaths += counts.reduce((sum, one) => sum + one, 0);
      const once = [...outcome.covered.values()].every((times) => times === 1);
      const whole = outcome.count("end") === 1 && once && outcome.covered.size === Number(job.units);
      const bounded = Math.max(0, ...counts) <= (away ? ATTEMPTS + 2 : ATTEMPTS);
      return whole && bounded && outcome.mute === 0 && (outside || outcome.bystanders === 0);
    }),
    { numRuns: 300 },
  );
  return deaths;
}

for (const [what, jobs] of KINDS)
  for (const outside of [false, true])
    for (const away of [false, true])
      t.test(
        `property of ${what}, agents killed from outside: ${outside}, nodes away: ${away}: no killer runs more often than it may, and no bystander is given up`,
        async (t) => t.ok(playAll(jobs, { outside, away }) > 100, "agents died"),
      );

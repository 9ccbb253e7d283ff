import t from "tap";
import { scoreCell } from "../../../bench/schedule/cellcontest.js";
import { QUICK_CELLS } from "../../../bench/schedule/cells.js";
import { contestants, scoreContestant, settings } from "../../../bench/schedule/contest.js";
import { scoreTaskContestants, type TaskScore } from "../../../bench/schedule/taskcontest.js";

const [muster] = contestants;

t.test("the makespan stays near the fluid bound, with the seeds and faults of bench/schedule.ts", async (t) => {
  for (const setting of settings) {
    const limit = setting.noise === 0 ? 1.02 : setting.name === "short" ? 1.28 : 1.05;
    const { worst } = scoreContestant(muster!, setting, [1, 2, 3, 4]);
    t.ok(worst <= limit, `${setting.name}: ${worst.toFixed(3)} of at most ${limit}`);
    t.ok(worst >= 1, "no run beats the bound");
  }
});

t.test("runs of 15 s stay near the bound of a clairvoyant, and ahead of other loop schedulers", async (t) => {
  for (const name of ["base", "guesses off by 3", "joins over 30 s", "overhead 3 s"]) {
    const cell = QUICK_CELLS.find((one) => one.name === name)!;
    const [own, ...others] = scoreCell(cell, 15, [21, 22, 23, 24]);
    t.ok(own!.mean <= 1.15, `${name}: ${own!.mean.toFixed(3)}`);
    t.ok(own!.mean >= 1, "no run beats the bound");
    for (const other of others)
      t.ok(own!.mean <= 1.01 * other.mean, `${name}: ${own!.mean.toFixed(3)}, ${other.name} ${other.mean.toFixed(3)}`);
  }
});

t.test("tasks end near the bound of whole tasks, and sooner than from one queue even without estimates", async (t) => {
  const [exact, noisy, unknown, queue] = scoreTaskContestants([1, 2, 3, 4]) as [
    TaskScore,
    TaskScore,
    TaskScore,
    TaskScore,
  ];
  for (const [score, limit] of [
    [exact, 1.02],
    [noisy, 1.03],
  ] as const)
    t.ok(score.whole.worst <= limit, `${score.name}: ${score.whole.worst.toFixed(3)} of at most ${limit}`);
  const [over, above] = [unknown, queue].map((score) => score.whole.mean - 1) as [number, number];
  t.ok(over < 0.8 * above, `${unknown.name}: ${over.toFixed(3)} above the bound, one queue ${above.toFixed(3)}`);
  t.ok(Math.min(exact.whole.mean, unknown.whole.mean) >= 1, "no run beats the bound");
});

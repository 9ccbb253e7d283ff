/**
 * Compares muster's scheduler with other ways to share the same work, on a virtual clock. See bench/README.md.
 *     npm run bench:schedule
 */
import { type ContestScore, contestants, scoreBestEqualChunks, scoreContestant, settings } from "./schedule/contest.js";
import { scoreShapeContestants } from "./schedule/shapecontest.js";
import { scoreTaskContestants } from "./schedule/taskcontest.js";
import { measureThroughput } from "./schedule/throughput.js";

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

function line(score: ContestScore): string {
  const { name, worst, mean, attempts } = score;
  return `  ${name.padEnd(44)} ${mean.toFixed(3)}  worst ${worst.toFixed(3)}  ${String(attempts).padStart(7)} chunks`;
}

console.log(
  `makespan over the fluid bound; 26 GPUs, 1e9 seeds and 3 s overhead a chunk, in short runs 1.3e7 and 0.45 s; seeds ${SEEDS.join(" ")}`,
);
for (const setting of settings) {
  console.log(setting.name);
  for (const contestant of contestants) console.log(line(scoreContestant(contestant, setting, SEEDS)));
  console.log(line(scoreBestEqualChunks(setting, SEEDS)));
}

console.log("2,000 tasks with log-normal durations (sigma 1, a minute on an RX 6600 on average)");
console.log("  over the bound of whole tasks, and over the fluid bound");
for (const { name, whole, fluid, attempts } of scoreTaskContestants(SEEDS)) {
  const [one, other] = [whole, fluid].map(({ mean, worst }) => `${mean.toFixed(3)}  worst ${worst.toFixed(3)}`);
  console.log(`  ${name.padEnd(44)} ${one}    ${other}  ${attempts} attempts`);
}

console.log("600 tasks for 1, 2, 4 or 8 GPUs on 3 nodes of 8, log-normal durations (sigma 1, a minute on average)");
console.log(
  "  over the bound; when the tasks for 8 GPUs began, on average and the last one, in shares of the makespan",
);
for (const { name, mean, worst, meanStart, lastStart } of scoreShapeContestants(SEEDS)) {
  const starts = `${meanStart.toFixed(2)}  last ${lastStart.toFixed(2)}`;
  console.log(`  ${name.padEnd(44)} ${mean.toFixed(3)}  worst ${worst.toFixed(3)}    ${starts}`);
}

console.log("events a second of processor time on one core, what plays the slots included");
for (const [nodes, chunks] of [
  [3, 300_000],
  [30, 300_000],
  [300, 300_000],
  [1000, 300_000],
  [1000, 10_000_000],
] as const) {
  const { slots, events, seconds, resident } = measureThroughput(nodes, chunks, 1);
  const figures = `${(events / seconds / 1000).toFixed(0).padStart(5)}k events/s  ${((seconds / events) * 1e6).toFixed(2)} us an event`;
  console.log(
    `  ${String(slots).padStart(5)} slots ${String(chunks).padStart(9)} chunks  ${figures}  resident ${(resident / 1048576).toFixed(0)} MiB`,
  );
}

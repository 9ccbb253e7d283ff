/**
 * Compares muster and GNU parallel on GPUs of unequal speed over real SSH with the fluid bound. See bench/README.md.
 *     npm run bench:real [-- SECONDS]
 */
import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { join } from "node:path";
import { type Lab, startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { installPeers } from "./parallel.js";
import { type MusterTerms, type RealScore, runMuster, runParallel } from "./real/realcontestants.js";
import { createWorkloads, OVERHEAD, type RealWorkload } from "./real/realworkload.js";

const seconds = Number(process.argv[2] ?? 75);
if (!(seconds >= 10 && seconds <= 3600)) {
  console.error("usage: npm run bench:real [-- SECONDS]   (what the work takes at the least: 10 to 3600)");
  process.exit(64);
}

const RIGHT: MusterTerms["guess"] = { fast: 29_000, slow: 5_000 };
const OFF: MusterTerms["guess"] = { fast: 29_000 / 3, slow: 5_000 * 3 };
/** The sizes of GNU parallel's chunks, in seconds on a slow GPU. */
const SIZES = [6, 12, 24, 48];

interface RealContestant {
  name: string;
  isMuster: boolean;
  run(lab: Lab, place: string, work: RealWorkload): Promise<RealScore>;
}

const musters: RealContestant[] = (
  [
    ["rates right, worker reports its progress", { guess: RIGHT, reports: true, earlierRuns: 0 }],
    ["rates learned, worker reports nothing", { guess: OFF, reports: false, earlierRuns: 1 }],
    ["rates off by 3, worker reports its progress", { guess: OFF, reports: true, earlierRuns: 0 }],
    ["rates off by 3, worker reports nothing", { guess: OFF, reports: false, earlierRuns: 0 }],
  ] as const
).map(([name, terms]) => ({
  name: `muster, ${name}`,
  isMuster: true,
  run: (lab, place, work) => runMuster(lab, place, work, terms),
}));

const parallels: RealContestant[] = SIZES.map((size) => ({
  name: `GNU parallel, chunks of ${(size * RIGHT.slow).toLocaleString("en-US")} units`,
  isMuster: false,
  run: (lab, place, work) => runParallel(lab, place, work, size * RIGHT.slow),
}));

/** Alternating, so that other load on the machine affects both. */
const contestants = musters.flatMap((muster, index) => [muster, parallels[index]!]);

async function contest(lab: Lab, number: number, work: RealWorkload): Promise<void> {
  console.log(`\n${work.name}: ${work.units.toLocaleString("en-US")} units, at least ${work.bound.toFixed(1)} s`);
  let best: { line: string; seconds: number } | undefined;
  for (const [index, { name, isMuster, run }] of contestants.entries()) {
    const before = processorTimes();
    const score = await run(lab, join(lab.folder, `real-${number}-${index}`), work);
    const text = line(name, score, work, busySince(before));
    console.log(text);
    if (isMuster && score.wrong !== "") process.exitCode = 1;
    if (!isMuster && score.seconds < (best?.seconds ?? Number.POSITIVE_INFINITY))
      best = { line: text, seconds: score.seconds };
  }
  console.log(`GNU parallel at its best:\n${best!.line}`);
}

function line(
  name: string,
  { seconds, clairvoyant, chunks, wrong }: RealScore,
  { bound }: RealWorkload,
  busy: number,
): string {
  const informed = clairvoyant === undefined ? "" : (seconds / clairvoyant).toFixed(3);
  const figures = `${(seconds / bound).toFixed(3)}  ${informed.padStart(5)}  ${seconds.toFixed(1).padStart(6)} s  ${String(chunks).padStart(5)} chunks`;
  return `  ${name.padEnd(52)} ${figures}  busy ${Math.round(busy * 100)} %  ${wrong}`;
}

/** Returns the CPU time of the whole machine so far: busy, and all of it. */
function processorTimes(): { busy: number; all: number } {
  const times = cpus().map((cpu) => cpu.times);
  const all = times.reduce((sum, { user, nice, sys, irq, idle }) => sum + user + nice + sys + irq + idle, 0);
  return { busy: all - times.reduce((sum, { idle }) => sum + idle, 0), all };
}

/** Returns the share of the machine's CPU time since `before` that was busy. */
function busySince(before: { busy: number; all: number }): number {
  const now = processorTimes();
  return (now.busy - before.busy) / Math.max(1, now.all - before.all);
}

async function main(): Promise<void> {
  installPeers();
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const names = ["zeus", "rig-6600", "rig-6600b", "rig-6600c"];
  const lab = await startLab({ nodes: names, gpus: 8, vendor: "amd", sshd: { MaxSessions: 100, MaxStartups: 200 } });
  try {
    console.log(
      `makespan over the fluid bound, and over a clairvoyant's: 2 cards of 29,000 and 24 of 5,000 units/s on 4 nodes, real sshd on loopback,`,
    );
    console.log(
      `${OVERHEAD} s overhead a chunk; from the start of the program to its end; ${cpus().length} processors, asleep but for`,
    );
    console.log("what the programs themselves need; busy: the share of the processors that was, by whatever");
    for (const [index, work] of createWorkloads(seconds).entries()) await contest(lab, index, work);
  } finally {
    await lab.stop();
  }
}

await main();

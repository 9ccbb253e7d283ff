/**
 * muster and GNU parallel on cards of unequal speed over real SSH: how much longer than the fluid bound. See bench/README.md.
 *     npm run bench:real [-- SECONDS]
 */
import { execFileSync } from "node:child_process";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { type Lab, startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { installPeers } from "./parallel.js";
import { runMuster, runParallel, type Score, type Terms } from "./real/contestants.js";
import { OVERHEAD, settings, type Work } from "./real/work.js";

const seconds = Number(process.argv[2] ?? 75);
if (!(seconds >= 10 && seconds <= 3600)) {
  console.error("usage: npm run bench:real [-- SECONDS]   (what the work takes at the least: 10 to 3600)");
  process.exit(64);
}

const RIGHT: Terms["guess"] = { fast: 29_000, slow: 5_000 };
const OFF: Terms["guess"] = { fast: 29_000 / 3, slow: 5_000 * 3 };
/** GNU parallel's chunks, in seconds that they take on a slow card. */
const SIZES = [3, 6, 12, 24];

interface Contestant {
  name: string;
  run(lab: Lab, place: string, work: Work): Promise<Score>;
}

const musters: Contestant[] = (
  [
    ["rates right, worker reports its progress", { guess: RIGHT, reports: true }],
    ["rates right, worker reports nothing", { guess: RIGHT, reports: false }],
    ["rates off by 3, worker reports its progress", { guess: OFF, reports: true }],
    ["rates off by 3, worker reports nothing", { guess: OFF, reports: false }],
  ] as const
).map(([name, terms]) => ({
  name: `muster, ${name}`,
  run: (lab, place, work) => runMuster(lab, place, work, terms),
}));

const parallels: Contestant[] = SIZES.map((size) => ({
  name: `GNU parallel, chunks of ${(size * RIGHT.slow).toLocaleString("en-US")} units`,
  run: (lab, place, work) => runParallel(lab, place, work, size * RIGHT.slow),
}));

async function contest(lab: Lab, number: number, work: Work): Promise<void> {
  console.log(`\n${work.name}: ${work.units.toLocaleString("en-US")} units, at least ${work.bound.toFixed(1)} s`);
  const scores: [string, Score][] = [];
  for (const [index, { name, run }] of [...musters, ...parallels].entries()) {
    const score = await run(lab, join(lab.folder, `real-${number}-${index}`), work);
    scores.push([name, score]);
    console.log(line(name, score, work));
    if (score.wrong !== "" && index < musters.length) process.exitCode = 1;
  }
  const [best] = scores.slice(musters.length).sort(([, a], [, b]) => a.seconds - b.seconds);
  console.log(line(`best of GNU parallel: ${best![0].split(", ")[1]}`, best![1], work));
}

function line(name: string, { seconds, chunks, wrong }: Score, { bound }: Work): string {
  const ratio = (seconds / bound).toFixed(3);
  const load = `load ${loadavg()[0]!.toFixed(1)}`;
  return `  ${name.padEnd(54)} ${ratio}  ${seconds.toFixed(1).padStart(6)} s  ${String(chunks).padStart(5)} chunks  ${load}  ${wrong}`;
}

async function main(): Promise<void> {
  installPeers();
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const names = ["zeus", "rig-6600", "rig-6600b", "rig-6600c"];
  const lab = await startLab({ nodes: names, gpus: 8, vendor: "amd", sshd: { MaxSessions: 100, MaxStartups: 200 } });
  try {
    console.log(
      `makespan over the fluid bound: 2 cards of 29,000 and 24 of 5,000 units/s on 4 nodes, real sshd on loopback,`,
    );
    console.log(
      `${OVERHEAD} s overhead a chunk; from the start of the program to its end; ${cpus().length} processors, asleep but for`,
    );
    console.log("what the programs themselves need; load: of the last minute");
    for (const [index, work] of settings(seconds).entries()) await contest(lab, index, work);
  } finally {
    await lab.stop();
  }
}

await main();

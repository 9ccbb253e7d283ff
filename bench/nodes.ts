/**
 * Measures how much longer commands take when most nodes of an inventory refuse connections. See bench/README.md.
 *     npm run bench:nodes
 */
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { type Lab, startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { addRefusingNodes } from "../test/lab/refusingnodes.js";
import { runTimed, type TimedRun } from "./timedrun.js";

const LIVE = 10;
const REFUSING = 190;
const PASSES = 5;

async function main(): Promise<void> {
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const lab = await startLab({ nodes: LIVE, gpus: 0 });
  try {
    const alone = lab.inventory();
    const beside = addRefusingNodes(alone, join(lab.folder, "beside.yaml"), REFUSING);
    for (const [name, words] of verbs(lab)) {
      const seconds: Record<string, number[]> = { [alone]: [], [beside]: [] };
      // Alternating, so that other load on the machine affects both.
      for (let pass = 0; pass < PASSES; pass++)
        for (const inventory of [alone, beside]) seconds[inventory]!.push(await measure(lab, words, inventory));
      const [a, b] = [median(seconds[alone]!), median(seconds[beside]!)];
      const figures = `${LIVE} nodes ${a.toFixed(2)} s   ${LIVE + REFUSING} nodes ${b.toFixed(2)} s`;
      console.log(`${name.padEnd(8)} ${figures}   ${(b - a).toFixed(2)} s longer`);
    }
  } finally {
    await lab.stop();
  }
}

function verbs(lab: Lab): [name: string, words: string[]][] {
  const job = join(lab.folder, "job.yaml");
  writeFileSync(join(lab.folder, "number.sh"), '#!/bin/sh\nsleep 0.3\necho "$1" >n.txt\n', { mode: 0o755 });
  const what = { name: "nodes", kind: "matrix", matrix: { n: [0, 100] } };
  writeFileSync(job, stringify({ ...what, script: "number.sh", args: ["{n}"], outputs: ["n.txt"] }));
  return [
    ["nodes", ["nodes"]],
    ["verify", ["verify", "python"]],
    ["run", ["run", job, "--out", join(lab.folder, "run")]],
  ];
}

async function measure(lab: Lab, words: string[], inventory: string): Promise<number> {
  const ran: TimedRun = await runTimed([join(projectRoot(), "muster"), ...words, "-i", inventory, "--json"], {
    limit: 600,
  });
  rmSync(join(lab.folder, "run"), { recursive: true, force: true });
  if (ran.code !== 0 && ran.code !== 3) throw new Error(`exit ${ran.code}\n${ran.stdout.slice(-4000)}\n${ran.stderr}`);
  return ran.seconds;
}

function median(seconds: number[]): number {
  return seconds.sort((a, b) => a - b)[seconds.length >> 1]!;
}

await main();

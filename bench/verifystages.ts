import { join } from "node:path";
import { projectRoot } from "../test/lab/project.js";
import { measureProcess, type ProcessUsage } from "./processusage.js";

const PASSES = 3;

/** A command that does a part of what `verify` does. */
interface Stage {
  name: string;
  words: string[];
}

/**
 * Prints what the seconds of `verify` go into: commands that each do more than the one before, how much longer they take, and the CPU time
 * of muster itself. The rest is spent on sshd and the probes, which share its processors here.
 */
export async function printStages(nodes: number, inventory: string, contests: readonly (readonly string[])[]) {
  const stages: Stage[] = [
    { name: "start of the program (--version)", words: ["--version"] },
    { name: "connect, log in, one command (exec true)", words: ["exec", "-i", inventory, "true"] },
    { name: "one playbook (verify python)", words: ["verify", "python", "-i", inventory] },
    ...contests.map((playbooks) => ({
      name: `${playbooks.length} playbooks`,
      words: ["verify", ...playbooks, "-i", inventory],
    })),
  ];
  console.log(`  what the seconds go into, with ${nodes} nodes:`);
  let before = 0;
  for (const { name, words } of stages) {
    const { seconds, processorSeconds } = await measureMedian(words);
    const added = `+${(seconds - before).toFixed(2)} s`;
    const figures = `${seconds.toFixed(2)} s  ${added.padStart(8)}  CPU of muster ${processorSeconds.toFixed(2)} s`;
    console.log(`    ${name.padEnd(42)} ${figures}`);
    before = seconds;
  }
}

/** Returns the pass with the median duration, after a warm-up. */
async function measureMedian(words: readonly string[]): Promise<ProcessUsage> {
  const passes: ProcessUsage[] = [];
  for (let pass = 0; pass <= PASSES; pass++) {
    const used = await measureProcess([join(projectRoot(), "muster"), ...words]);
    if (used.code !== 0) throw new Error(`muster ${words.join(" ")}: exit ${used.code}`);
    if (pass > 0) passes.push(used);
  }
  return passes.sort((a, b) => a.seconds - b.seconds)[PASSES >> 1]!;
}

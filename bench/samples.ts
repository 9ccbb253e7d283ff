/**
 * Measures what samples of GPUs cost the agent of a node with eight cards of AMD and one of NVIDIA: its share of a core while chunks
 * sleep on all cards, without samples and with them. See bench/README.md.
 *     npm run bench:samples [-- SECONDS]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { type Lab, type LabNode, startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { waitUntil } from "../test/lab/waituntil.js";
import { runTimed } from "./timedrun.js";

const CARDS = 8;
const INTERVALS = ["never", "10s", "1s"];
/** The first samples are taken, and all modules are loaded. */
const WARM_UP_SECONDS = 5;
const START_SECONDS = 120;
/** Of the clock in which /proc counts CPU time. */
const TICKS_PER_SECOND = 100;

const seconds = Number(process.argv[2] ?? 60);
if (!Number.isInteger(seconds) || seconds < 10 || seconds > 3600) {
  console.error("usage: npm run bench:samples [-- SECONDS]   (10 to 3600)");
  process.exit(64);
}

async function main(): Promise<void> {
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const lab = await startLab({ nodes: ["rig"], gpus: CARDS, nvidia: 1 });
  try {
    console.log(`the agent of a node with ${CARDS} AMD cards and one NVIDIA card, over ${seconds} s`);
    for (const interval of INTERVALS) {
      const { share, residentMiB } = await measure(lab, interval);
      const figures = `${(share * 100).toFixed(3).padStart(7)} % of a core   ${residentMiB.toFixed(1)} MiB`;
      console.log(`gpu_samples: ${interval.padEnd(8)} ${figures}`);
    }
  } finally {
    await lab.stop();
  }
}

/** Runs the job, and returns the agent's share of a core while chunks run, and its resident memory at the end. */
async function measure(lab: Lab, interval: string): Promise<{ share: number; residentMiB: number }> {
  // Each in a folder of its own, so that none is scheduled by what an earlier one has taught.
  const folder = join(lab.folder, interval);
  mkdirSync(folder);
  const job = join(folder, "job.yaml");
  const shape = { name: "samples", kind: "matrix", matrix: { n: [0, CARDS + 1] } };
  writeFileSync(job, stringify({ ...shape, command: ["sleep", `${seconds + WARM_UP_SECONDS + 5}`], args: [] }));
  const inventory = lab.inventory({
    file: `${interval}.yaml`,
    defaults: { gpu_samples: interval, gpu_check: "never" },
  });
  const words = [join(projectRoot(), "muster"), "run", job, "-i", inventory];
  const run = runTimed(words, { limit: 2 * seconds + 120 });
  const node = lab.nodes[0]!;
  const started = waitUntil("all chunks run", () => listSleepers(node).length === CARDS + 1, START_SECONDS);
  await Promise.race([started, run.then(({ stderr }) => Promise.reject(new Error(`it ended early: ${stderr}`)))]);
  const agent = listSleepers(node)[0]!.parent;
  await sleep(WARM_UP_SECONDS * 1000);
  const before = readProcessorSeconds(agent);
  const began = performance.now();
  await sleep(seconds * 1000);
  const share = ((readProcessorSeconds(agent) - before) * 1000) / (performance.now() - began);
  const residentKiB = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${agent}/status`, "utf8"))![1]);
  const { code, stderr } = await run;
  if (code !== 0) throw new Error(`exit ${code}: ${stderr}`);
  return { share, residentMiB: residentKiB / 1024 };
}

function listSleepers(node: LabNode) {
  return node.processes().filter(({ argv }) => argv[0] === "sleep");
}

/** Returns the CPU time of all threads of a process. */
function readProcessorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

await main();

/**
 * Measures how close tasks of 100 ms come to the ideal on 32 slots. They sleep, so that they need hardly any processor. See
 * bench/README.md.
 *     npm run bench:sleeping [-- TASKS]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { type Lab, startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { hasDask, runPool } from "./localpools.js";
import { type DispatchScore, runMusterJob } from "./mustercontestant.js";

const [NODES, SLOTS_PER_NODE] = [4, 8];
const SLOTS = NODES * SLOTS_PER_NODE;
const TASK_SECONDS = 0.1;
const LIMIT_SECONDS = 900;

const tasks = Number(process.argv[2] ?? 5000);
if (!Number.isInteger(tasks) || tasks < 1 || tasks > 100_000) {
  console.error("usage: npm run bench:sleeping [-- TASKS]   (1 to 100000)");
  process.exit(64);
}

async function runMuster(lab: Lab): Promise<DispatchScore> {
  const place = join(lab.folder, "muster-sleeping");
  mkdirSync(place);
  const command = ["/bin/sleep", `${TASK_SECONDS}`];
  const job = { name: "sleeping", kind: "matrix", matrix: { n: [0, tasks] }, command, outputs: [], project: "none" };
  writeFileSync(join(place, "job.yaml"), stringify(job));
  const ran = await runMusterJob(join(place, "job.yaml"), lab.inventory(), join(place, "run"), LIMIT_SECONDS);
  const note = ran.code === 0 ? "" : `exit ${ran.code}: ${ran.stderr.slice(-300)}`;
  return { name: "muster", chunks: tasks, right: ran.code === 0 ? tasks : 0, seconds: ran.seconds, note };
}

function formatLine({ name, seconds, note }: DispatchScore): string {
  const ideal = Math.ceil(tasks / SLOTS) * TASK_SECONDS;
  return `${name.padEnd(28)} ${seconds.toFixed(2).padStart(8)} s  ${(seconds / ideal).toFixed(3)} of the ideal  ${note}`;
}

async function main(): Promise<void> {
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const lab = await startLab({ nodes: NODES, gpus: SLOTS_PER_NODE, vendor: "amd" });
  try {
    console.log(`${tasks} tasks of ${TASK_SECONDS} s on ${SLOTS} slots; from the start of the program to its end`);
    const pool = { chunks: tasks, slots: SLOTS, command: `exec sleep ${TASK_SECONDS}` };
    const contests = [
      () => runMuster(lab),
      () => runPool("bare", lab.folder, pool),
      ...(hasDask() ? [() => runPool("dask_commands", lab.folder, pool)] : []),
    ];
    for (const contest of contests) {
      const score = await contest();
      console.log(formatLine(score));
      if (score.right !== tasks) process.exitCode = 1;
    }
    if (!hasDask()) console.log("Dask is left out: apt-get install python3-distributed");
  } finally {
    await lab.stop();
  }
}

await main();

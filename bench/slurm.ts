/**
 * Measures chunks on a Slurm cluster: muster's pilots beside a job array of Slurm and beside `srun` steps in one allocation, on the same nodes
 * in the same run, and how long the first chunk takes to start beside plain `sbatch`. See bench/README.md.
 *     npm run bench:slurm [-- CHUNKS [LIMIT]]
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { type Lab, startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { lackingSlurm } from "../test/lab/requirements.js";
import { type Slurm, startSlurm } from "../test/lab/slurm.js";
import { type DispatchScore, runMuster, runMusterJob } from "./mustercontestant.js";
import { runArray, runSteps, timeBatchStart } from "./slurmpeers.js";

const [NODES, CPUS] = [2, 8];
const ROUNDS = 3;
const AIM = 20;
/** What the lab's Slurm has shorter. */
const DEFAULT_SCHEDULING = { SchedulerParameters: "batch_sched_delay=3,sched_interval=60,bf_interval=30" };

const [chunks, limitSeconds] = [Number(process.argv[2] ?? 2000), Number(process.argv[3] ?? 120)];
if (!Number.isInteger(chunks) || chunks < 1 || chunks > 100_000 || !(limitSeconds >= 1)) {
  console.error(
    "usage: npm run bench:slurm [-- CHUNKS [LIMIT]]   (1 to 100000; seconds for Slurm's own ways, default 120)",
  );
  process.exit(64);
}

async function main(): Promise<void> {
  const lacking = lackingSlurm();
  if (lacking !== false) throw new Error(lacking);
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const lab = await startLab({ nodes: NODES + 1, gpus: 0, user: "rig", sharedHome: true });
  try {
    const config = { MaxArraySize: chunks + 1, MaxJobCount: chunks + 1000 };
    const slow = await startSlurm(lab, { gpus: 0, cpus: CPUS, config: { ...config, ...DEFAULT_SCHEDULING } });
    const usual = await runArray(lab, slow, chunks, limitSeconds);
    await slow.stop();
    const slurm = await startSlurm(lab, { gpus: 0, cpus: CPUS, config });
    const inventory = writeInventory(lab, slurm);
    console.log(
      `${NODES} compute nodes with ${CPUS} CPUs each, as Slurm has it; ${(await slurm.run(["sbatch", "-V"])).stdout.trim()}`,
    );
    const contests: (() => Promise<DispatchScore>)[] = [
      () => runArray(lab, slurm, chunks, limitSeconds),
      () => runSteps(lab, slurm, chunks, NODES * CPUS, limitSeconds),
      () => runMuster(lab.folder, inventory, chunks, "argument"),
    ];
    const scores: DispatchScore[] = [];
    console.log(formatScore({ ...usual, name: `${usual.name}, as by default` }));
    for (const contest of contests) {
      const score = await contest();
      scores.push(score);
      console.log(formatScore(score));
    }
    const [array, steps, ours] = scores.map(rateOf) as [number, number, number];
    const against = (rate: number) => `${(ours / rate).toFixed(1)} times`;
    console.log(
      `muster against the job array: ${against(rateOf(usual))} (as by default; aim: ${AIM}), ${against(array)}`,
    );
    console.log(`muster against steps: ${against(steps)}`);
    await compareStarts(lab, slurm, inventory);
    await slurm.stop();
  } finally {
    await lab.stop();
  }
}

/** Writes an inventory whose only entry is the cluster, with a pilot for each compute node. */
function writeInventory(lab: Lab, { login }: Slurm): string {
  const cluster = {
    engine: "slurm",
    host: login.host,
    port: login.port,
    user: login.user,
    identity_file: login.identityFile,
    known_hosts: lab.knownHosts,
    workdir: login.workdir,
    python: "/usr/bin/python3",
    cpus: CPUS,
    pilots: NODES,
    time: "30m",
  };
  const path = join(lab.folder, "cluster.yaml");
  writeFileSync(path, stringify({ nodes: { hpc: cluster } }));
  return path;
}

function rateOf(score: DispatchScore): number {
  if (score.right !== score.chunks || score.chunks === 0)
    throw new Error(`${score.name}: ${score.right} of ${score.chunks} results are right. ${score.note}`);
  return score.chunks / score.seconds;
}

function formatScore(score: DispatchScore): string {
  const figures = `${rateOf(score).toFixed(1).padStart(7)} chunks/s  ${score.seconds.toFixed(2).padStart(7)} s`;
  return `${score.name.padEnd(40)} ${String(score.chunks).padStart(6)} chunks ${figures}  all right  ${score.note}`;
}

async function compareStarts(lab: Lab, slurm: Slurm, inventory: string): Promise<void> {
  const [plain, ours]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    plain.push(await timeBatchStart(lab, slurm));
    ours.push(await timeFirstChunk(lab, inventory));
  }
  const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
  const [a, b] = [median(plain), median(ours)];
  console.log(
    `from submit to start, median of ${ROUNDS}: ssh and sbatch ${a.toFixed(2)} s, the first chunk of muster run ${b.toFixed(2)} s: ${(b / a).toFixed(1)} times`,
  );
}

/** Returns the seconds from the start of `muster run` to the start of the only chunk's program. */
async function timeFirstChunk(lab: Lab, inventory: string): Promise<number> {
  const place = join(lab.folder, "first");
  mkdirSync(place);
  writeFileSync(join(place, "start.sh"), '#!/bin/sh\ndate +%s.%N >"$1"\n');
  chmodSync(join(place, "start.sh"), 0o755);
  const job = {
    name: "first",
    kind: "matrix",
    matrix: { n: [0, 1] },
    script: "start.sh",
    args: ["{out}/started"],
    outputs: ["started"],
  };
  writeFileSync(join(place, "job.yaml"), stringify(job));
  const began = Date.now() / 1000;
  const ran = await runMusterJob(join(place, "job.yaml"), inventory, join(place, "run"), 300);
  if (ran.code !== 0) throw new Error(`muster: exit ${ran.code}: ${ran.stderr}`);
  const results = readdirSync(join(place, "run/results"), { recursive: true, encoding: "utf8" });
  const file = results.find((path) => path.endsWith("started"))!;
  const started = Number(readFileSync(join(place, "run/results", file), "utf8"));
  rmSync(place, { recursive: true });
  return started - began;
}

await main();

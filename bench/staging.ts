/**
 * Measures how long inputs take to nodes, in the first run of a job and in the second, beside scp, rsync and GNU parallel on the same
 * nodes in the same run. See bench/README.md.
 *     npm run bench:staging [-- SHARE]
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Lab, startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { findProgram } from "../test/lab/requirements.js";
import { runMusterJob } from "./mustercontestant.js";
import { type SshPeer, writePeerConfig } from "./sshpeers.js";
import { runTimed } from "./timedrun.js";

const NODE_COUNTS = [1, 3];
const LIMIT_SECONDS = 180;
const MB = 1_000_000;

/** Inputs of one shape. */
interface Workload {
  name: string;
  files: number;
  bytesEach: number;
}

const share = Number(process.argv[2] ?? "1");
if (!(share > 0 && share <= 1)) {
  console.error("usage: npm run bench:staging [-- SHARE]   (a share of the bytes, 0 to 1; default 1)");
  process.exit(64);
}
const workloads: Workload[] = [
  { name: "1 large file", files: 1, bytesEach: 300 * MB * share },
  { name: "small files", files: Math.ceil(3000 * share), bytesEach: 10_000 },
  { name: "20 files", files: 20, bytesEach: ((1 << 30) / 20) * share },
];

async function main(): Promise<void> {
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const lab = await startLab({ nodes: Math.max(...NODE_COUNTS), gpus: 0 });
  try {
    const config = writePeerConfig(lab);
    for (const workload of workloads) {
      const folder = writeInputs(lab, workload);
      for (const count of NODE_COUNTS) {
        const names = lab.nodes.slice(0, count).map(({ name }) => name);
        const megabytes = (workload.files * Math.floor(workload.bytesEach)) / MB;
        console.log(`\n${workload.name}: ${workload.files} files, ${megabytes.toFixed(0)} MB, to ${count} nodes`);
        await runMuster(lab, folder, workload, names);
        for (const [name, words] of peers(config, folder)) await runPeer(lab, name, words, names);
      }
      rmSync(folder, { recursive: true });
    }
  } finally {
    await lab.stop();
  }
}

function writeInputs(lab: Lab, { files, bytesEach }: Workload): string {
  const folder = join(lab.folder, "inputs");
  mkdirSync(join(folder, "data"), { recursive: true });
  for (let n = 0; n < files; n++) writeFileSync(join(folder, "data", `f${n}`), randomBytes(Math.floor(bytesEach)));
  return folder;
}

/** Runs a job without inputs, and twice one with all of them on every node. */
async function runMuster(lab: Lab, folder: string, { files }: Workload, names: string[]): Promise<void> {
  for (const { root } of lab.nodes) rmSync(join(root, "root/.muster"), { recursive: true, force: true });
  const inventory = lab.inventory({ file: "staging.yaml" });
  const tasks = Array.from({ length: 4 * names.length }, (_, n) => ({
    id: `${n}`,
    args: [`${n}.txt`],
    outputs: [`${n}.txt`],
  }));
  const base = {
    name: "staging",
    kind: "tasks",
    project: "none",
    command: ["sh", "-c", 'ls data | wc -l > "$0"'],
    tasks,
  };
  const needs = { nodes: names };
  const inputs = readdirSync(join(folder, "data")).map((name) => `data/${name}`);
  writeFileSync(join(folder, "none.json"), JSON.stringify({ ...base, needs, command: ["sh", "-c", 'echo > "$0"'] }));
  writeFileSync(join(folder, "job.json"), JSON.stringify({ ...base, needs, inputs }));
  const seconds: Record<string, number> = {};
  for (const [what, job] of [
    ["without inputs", "none.json"],
    ["first run", "job.json"],
    ["second run", "job.json"],
  ] as const) {
    const out = join(lab.folder, "out");
    const ran = await runMusterJob(join(folder, job), inventory, out, 600);
    if (ran.code !== 0) throw new Error(`muster: exit ${ran.code}\n${ran.stdout.slice(-2000)}\n${ran.stderr}`);
    rmSync(out, { recursive: true });
    seconds[what] = ran.seconds;
  }
  const lacking = lab.nodes
    .filter(({ name }) => names.includes(name))
    .filter(({ root }) => readdirSync(join(root, "root/.muster/cache/contents")).length < files);
  if (lacking.length > 0) throw new Error(`not all inputs reached ${lacking.map(({ name }) => name).join(", ")}`);
  const [none, first, second] = Object.values(seconds) as [number, number, number];
  report("muster", first - none, second - none, `a run without inputs takes ${none.toFixed(2)} s, and is subtracted`);
}

function peers(config: string, folder: string): SshPeer[] {
  const remote = `ssh -F ${config}`;
  const all: [string, string, (node: string) => string[]][] = [
    ["scp", "scp", (node) => ["scp", "-q", "-r", "-F", config, "data", `${node}:peer/`]],
    ["rsync", "rsync", (node) => ["rsync", "-a", "-e", remote, "data", `${node}:peer/`]],
    [
      "parallel --transferfile",
      "parallel",
      (node) => ["sh", "-c", `ls data/* | parallel -j 8 --sshlogin '${remote} ${node}' --transferfile {} true`],
    ],
  ];
  return all
    .filter(([, program]) => findProgram(program) !== undefined)
    .map(([name, , words]) => [name, (node) => ["env", "-C", folder, ...words(node)]]);
}

/** Runs a peer twice for all nodes side by side. */
async function runPeer(lab: Lab, name: string, words: (node: string) => string[], nodes: string[]): Promise<void> {
  const seconds: number[] = [];
  for (const { root } of lab.nodes) {
    for (const path of ["peer", "data"]) rmSync(join(root, "root", path), { recursive: true, force: true });
    mkdirSync(join(root, "root/peer"));
  }
  for (let pass = 0; pass < 2; pass++) {
    const began = performance.now();
    const ran = await Promise.all(nodes.map((node) => runTimed(words(node), { limit: LIMIT_SECONDS })));
    seconds.push((performance.now() - began) / 1000);
    const failed = ran.find(({ code }) => code !== 0);
    if (failed !== undefined && seconds[pass]! < LIMIT_SECONDS) throw new Error(`${name}: ${failed.stderr}`);
    if (failed !== undefined) return console.log(`  ${name.padEnd(24)} killed after ${LIMIT_SECONDS} s`);
  }
  report(name, seconds[0]!, seconds[1]!, "");
}

function report(name: string, first: number, second: number, note: string): void {
  const figures = `first ${first.toFixed(2).padStart(6)} s   second ${second.toFixed(2).padStart(6)} s`;
  console.log(`  ${name.padEnd(24)} ${figures}   ${note}`.trimEnd());
}

await main();

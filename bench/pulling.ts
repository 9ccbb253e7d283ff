/**
 * Measures how long large outputs take from nodes, beside scp and rsync on the same nodes in the same run. See bench/README.md.
 *     npm run bench:pulling [-- MEGABYTES]
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Lab, startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { findProgram } from "../test/lab/requirements.js";
import { runMusterJob } from "./mustercontestant.js";
import { type SshPeer, writePeerConfig } from "./sshpeers.js";
import { runTimed } from "./timedrun.js";

const NODE_COUNTS = [1, 3];
const ROUNDS = 2;
const LIMIT_SECONDS = 180;
const MB = 1_000_000;

const megabytes = Number(process.argv[2] ?? "300");
if (!(megabytes >= 1 && megabytes <= 2000)) {
  console.error("usage: npm run bench:pulling [-- MEGABYTES]   (of each output, 1 to 2000; default 300)");
  process.exit(64);
}

async function main(): Promise<void> {
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const lab = await startLab({ nodes: Math.max(...NODE_COUNTS), gpus: 0 });
  try {
    for (const { root } of lab.nodes) writePayload(join(root, "root/payload"));
    const config = writePeerConfig(lab);
    for (const count of NODE_COUNTS) {
      const names = lab.nodes.slice(0, count).map(({ name }) => name);
      console.log(`\n${megabytes} MB from each of ${count} nodes, ${ROUNDS} rounds`);
      const seconds: Record<string, number[]> = {};
      const note = (name: string, value: number) => {
        seconds[name] = [...(seconds[name] ?? []), value];
      };
      for (let round = 0; round < ROUNDS; round++) {
        const small = await runMuster(lab, names, "small");
        note("muster", (await runMuster(lab, names, "large")) - small);
        for (const [name, words] of peers(config, lab)) note(name, await runPeer(lab, words, names));
      }
      for (const [name, values] of Object.entries(seconds)) report(name, values);
    }
  } finally {
    await lab.stop();
  }
}

function writePayload(path: string): void {
  const file = openSync(path, "w");
  const block = randomBytes(MB);
  for (let n = 0; n < megabytes; n++) writeSync(file, block);
  closeSync(file);
}

/** Runs a task on each node, whose program makes a large output, or the same file without declaring it. Returns the seconds. */
async function runMuster(lab: Lab, names: string[], what: "small" | "large"): Promise<number> {
  // Each node has one slot; the second is for those that join late.
  const copy = { small: "cp ~/payload scratch; echo > $0; rm scratch", large: "cp ~/payload $0" }[what];
  const tasks = names.map((name) => ({ id: name, args: [`${name}.bin`], outputs: [`${name}.bin`] }));
  const command = ["sh", "-c", `sleep 1; ${copy}`];
  const job = { name: "pulling", kind: "tasks", project: "none", command, needs: { nodes: names }, tasks };
  const file = join(lab.folder, `${what}.json`);
  writeFileSync(file, JSON.stringify(job));
  const out = join(lab.folder, "out");
  const ran = await runMusterJob(
    file,
    lab.inventory({ file: "pulling.yaml", defaults: { max_concurrent: 1 } }),
    out,
    LIMIT_SECONDS,
  );
  if (ran.code !== 0) throw new Error(`muster: exit ${ran.code}\n${ran.stdout.slice(-2000)}\n${ran.stderr}`);
  rmSync(out, { recursive: true });
  return ran.seconds;
}

function peers(config: string, lab: Lab): SshPeer[] {
  const here = (node: string) => join(lab.folder, "peer", node);
  const all: SshPeer[] = [
    ["scp", (node) => ["scp", "-q", "-F", config, `${node}:payload`, here(node)]],
    ["rsync", (node) => ["rsync", "-W", "-e", `ssh -F ${config}`, `${node}:payload`, here(node)]],
  ];
  return all.filter(([program]) => findProgram(program) !== undefined);
}

/** Runs a peer for all nodes side by side, and returns the seconds. What it copied is removed. */
async function runPeer(lab: Lab, words: (node: string) => string[], nodes: string[]): Promise<number> {
  mkdirSync(join(lab.folder, "peer"));
  const began = performance.now();
  const ran = await Promise.all(nodes.map((node) => runTimed(words(node), { limit: LIMIT_SECONDS })));
  const seconds = (performance.now() - began) / 1000;
  const failed = ran.find(({ code }) => code !== 0);
  if (failed !== undefined) throw new Error(failed.stderr);
  rmSync(join(lab.folder, "peer"), { recursive: true });
  return seconds;
}

function report(name: string, values: number[]): void {
  const [best, median] = [Math.min(...values), values.toSorted((a, b) => a - b)[values.length >> 1]!];
  console.log(`  ${name.padEnd(8)} best ${best.toFixed(2).padStart(6)} s   median ${median.toFixed(2).padStart(6)} s`);
}

await main();

/**
 * Measures time and peak memory of `run`, of a resumed run, `status` and `report` for runs of more and more chunks. See bench/README.md.
 *     npm run bench:scale [-- [--tasks] CHUNKS...]
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import type { LiveRun } from "../executor/run/record/liverun.js";
import { startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { measureProcess, type ProcessUsage } from "./processusage.js";

/** Commands that only read. The best of this many rounds counts, because other load makes each slower. */
const ROUNDS = 3;

const { values, positionals } = parseArgs({ options: { tasks: { type: "boolean" } }, allowPositionals: true });
const sizes = positionals.map(Number);
if (sizes.some((chunks) => !Number.isInteger(chunks) || chunks < 2 || chunks > 1_000_000)) {
  console.error("usage: npm run bench:scale [-- [--tasks] CHUNKS...]   (2 to 1000000 each; default 1000 10000 100000)");
  process.exit(64);
}

async function main(): Promise<void> {
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const lab = await startLab({ nodes: 4, gpus: 8, vendor: "amd" });
  try {
    const inventory = lab.inventory();
    for (const [name, text] of Object.entries({ "number.sh": 'echo "$1" >"$2"', "copy.sh": 'cat "$1" >"$2"' })) {
      writeFileSync(join(lab.folder, name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(lab.folder, name), 0o755);
    }
    for (const chunks of sizes.length > 0 ? sizes : [1000, 10_000, 100_000])
      await measure(lab.folder, inventory, chunks);
  } finally {
    await lab.stop();
  }
}

/** Runs a job until half of its chunks are done, resumes it, and reads the run. */
async function measure(folder: string, inventory: string, chunks: number): Promise<void> {
  const job = join(folder, "scale.yaml");
  const out = join(folder, "run");
  writeFileSync(job, stringify(values.tasks ? writeTasks(folder, chunks) : makeRange(chunks)));
  console.log(`${chunks} ${values.tasks ? "tasks with an input file each" : "chunks of a range"}`);
  const muster = join(projectRoot(), "muster");
  const run = [muster, "run", job, "-i", inventory, "--out", out, "-q"];
  const first = await measureProcess(run, () => countDone(out) >= chunks / 2);
  const done = countLines(join(out, "results.ndjson"));
  show("run, interrupted at half", first, done);
  const resumed = await measureProcess(run);
  show("run, resumed", resumed, chunks - done);
  const lines = countLines(join(out, "results.ndjson"));
  if (resumed.code !== 0 || lines !== chunks) {
    console.log(`ONLY ${lines} RESULTS THERE (exit ${resumed.code})`);
    process.exitCode = 1;
  }
  const reads = { "run, complete already": run, status: [muster, "status", out], report: [muster, "report", out] };
  for (const [what, argv] of Object.entries(reads)) show(what, await best(argv));
  rmSync(out, { recursive: true, force: true });
}

function makeRange(chunks: number): unknown {
  const chunk = { base: 1, min: 1, max: 1 };
  const what = { name: "scale", kind: "range", range: [0, chunks], chunk, collect: "lines" };
  return { ...what, script: "number.sh", args: ["{start}", "{out}/n.json"], outputs: ["n.json"], project: "none" };
}

function writeTasks(folder: string, chunks: number): unknown {
  mkdirSync(join(folder, "in"), { recursive: true });
  const tasks = Array.from({ length: chunks }, (_, n) => {
    writeFileSync(join(folder, `in/${n}`), `${n}\n`);
    return { id: `t${n}`, args: [`in/${n}`, `out/${n}`], inputs: [`in/${n}`], outputs: [`out/${n}`] };
  });
  return { name: "scale", kind: "tasks", script: "copy.sh", project: "none", tasks };
}

/** Returns the number of chunks that the run has said to be done. */
function countDone(out: string): number {
  try {
    return (JSON.parse(readFileSync(join(out, "live.json"), "utf8")) as LiveRun).chunks.done;
  } catch {
    return 0; // It has written nothing yet.
  }
}

function countLines(file: string): number {
  let lines = 0;
  for (const byte of readFileSync(file)) if (byte === 10) lines++;
  return lines;
}

async function best(argv: string[]): Promise<ProcessUsage> {
  const rounds: ProcessUsage[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measureProcess(argv));
  const failed = rounds.find(({ code }) => code !== 0);
  if (failed !== undefined) throw new Error(`${argv.join(" ")}: exit ${failed.code}`);
  return rounds.sort((a, b) => a.seconds - b.seconds)[0]!;
}

function show(what: string, { seconds, processorSeconds, peakBytes }: ProcessUsage, chunks?: number): void {
  const figures = [
    `${seconds.toFixed(2)} s`,
    `${processorSeconds.toFixed(2)} s of processor`,
    `${(peakBytes / 1048576).toFixed(0)} MiB`,
    ...(chunks === undefined ? [] : [`${(chunks / seconds).toFixed(0)} chunks/s`]),
  ];
  console.log(`  ${what.padEnd(26)}${figures.map((figure) => figure.padStart(20)).join("")}`);
}

await main();

/**
 * Measures the peak memory of the coordinator for jobs with more and more chunks. See bench/README.md.
 *     npm run bench:memory [-- --million]
 */
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { runMusterJob } from "./mustercontestant.js";

/** Returns the seconds that one run may take: 100 chunks a second, and a minute. */
function limit(chunks: number): number {
  return 60 + chunks / 100;
}

async function main(): Promise<void> {
  const sizes = [1000, 10_000, 100_000, ...(process.argv.includes("--million") ? [1_000_000] : [])];
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const lab = await startLab({ nodes: 4, gpus: 8, vendor: "amd" });
  try {
    const inventory = lab.inventory();
    const script = join(lab.folder, "number.sh");
    writeFileSync(script, '#!/bin/sh\necho "$1" >"$2"\n');
    chmodSync(script, 0o755);
    for (const chunks of sizes) console.log(await measure(lab.folder, inventory, chunks));
  } finally {
    await lab.stop();
  }
}

async function measure(folder: string, inventory: string, chunks: number): Promise<string> {
  const job = join(folder, "memory.yaml");
  const out = join(folder, "run");
  const chunk = { base: 1, min: 1, max: 1 };
  const what = { name: "memory", kind: "range", range: [0, chunks], chunk, collect: "lines" };
  writeFileSync(
    job,
    stringify({ ...what, script: "number.sh", args: ["{start}", "{out}/n.json"], outputs: ["n.json"] }),
  );
  const ran = await runMusterJob(job, inventory, out, limit(chunks));
  const lines = ran.code === 0 ? countLines(join(out, "results.ndjson")) : 0;
  rmSync(out, { recursive: true, force: true });
  if (lines !== chunks) process.exitCode = 1;
  const right = lines === chunks ? "all there" : `ONLY ${lines} THERE (exit ${ran.code}) ${ran.stderr}`;
  const rate = (chunks / ran.seconds).toFixed(0);
  return `${String(chunks).padStart(8)} chunks  peak ${(ran.peak / 1048576).toFixed(0).padStart(5)} MiB  ${rate.padStart(5)} chunks/s  ${right}`;
}

function countLines(file: string): number {
  let lines = 0;
  for (const byte of readFileSync(file)) if (byte === 10) lines++;
  return lines;
}

await main();

/**
 * Measures what a project costs each chunk: the same job without a project, with one file, and with 200 files of 2 MB, one slot
 * on this machine. See bench/README.md.
 *     npm run bench:project [-- ROUNDS]
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { projectRoot } from "../test/lab/project.js";
import { runMusterJob } from "./mustercontestant.js";

const CHUNKS = 500;
const FILES = 200;
const FILE_BYTES = 10_000;
const TIMEOUT_SECONDS = 300;

const rounds = Number(process.argv[2] ?? 5);
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
  console.error("usage: npm run bench:project [-- ROUNDS]   (1 to 100)");
  process.exit(64);
}

/** What is copied to the node, and what the chunks do to it. */
const CONTESTS = [
  { name: "no project", files: 0, keys: { project: "none" }, script: "" },
  { name: "one file", files: 0, keys: {}, script: "" },
  { name: `${FILES} files, 2 MB`, files: FILES, keys: {}, script: "" },
  {
    name: `${FILES} files, 20 of them overwritten`,
    files: FILES,
    keys: {},
    script: "for n in lib/?9*; do echo x > $n; done",
  },
];

function writeJob(folder: string, { files, keys, script }: (typeof CONTESTS)[number]): string {
  mkdirSync(join(folder, "lib"), { recursive: true });
  writeFileSync(join(folder, "w.sh"), `#!/bin/sh\n${script}\necho $1 > r.txt\n`, { mode: 0o755 });
  for (let n = 0; n < files; n++) writeFileSync(join(folder, "lib", `${n}`), randomBytes(FILE_BYTES));
  const file = join(folder, "job.yaml");
  const job = {
    kind: "matrix",
    matrix: { n: [0, CHUNKS] },
    script: "w.sh",
    args: ["{n}"],
    outputs: ["r.txt"],
    ...keys,
  };
  writeFileSync(file, stringify(job));
  return file;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

async function main(): Promise<void> {
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const place = mkdtempSync(join(tmpdir(), "muster-bench-"));
  try {
    const inventory = join(place, "inventory.yaml");
    writeFileSync(inventory, stringify({ nodes: { here: { connection: "local", slots: 1 } } }));
    const jobs = CONTESTS.map((contest, index) => writeJob(join(place, `${index}`), contest));
    const seconds: number[][] = CONTESTS.map(() => []);
    for (let round = 0; round < rounds; round++)
      for (const [index, job] of jobs.entries()) {
        const ran = await runMusterJob(job, inventory, join(place, `run-${index}-${round}`), TIMEOUT_SECONDS);
        if (ran.code !== 0) throw new Error(`exit ${ran.code}: ${ran.stderr}`);
        seconds[index]!.push(ran.seconds);
      }
    const medians = seconds.map(median);
    console.log(`${CHUNKS} chunks on one slot of this machine, median of ${rounds} rounds side by side`);
    for (const [index, { name }] of CONTESTS.entries()) {
      const more = ((medians[index]! - medians[0]!) / CHUNKS) * 1000;
      console.log(
        `${name.padEnd(36)} ${medians[index]!.toFixed(2).padStart(6)} s   ${more.toFixed(2).padStart(6)} ms a chunk more`,
      );
    }
  } finally {
    rmSync(place, { recursive: true });
  }
}

await main();

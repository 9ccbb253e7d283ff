/** Measures how long commands take to start, beside an empty Node.js program: `npm run bench:startup [-- ROUNDS]`. See README.md. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../test/lab/project.js";

const ROUNDS = Number(process.argv[2] ?? 15);
const main = join(projectRoot(), "dist/bundle/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "muster-bench-"));
cpSync(join(projectRoot(), "examples/sieve"), folder, { recursive: true });

const EMPTY = "node -e 0";
const programs: Record<string, string[]> = {
  [EMPTY]: ["-e", "0"],
  "muster --version": [main, "--version"],
  "muster --help": [main, "--help"],
  "muster run --help": [main, "run", "--help"],
  "muster status DIR (there is none)": [main, "status", "nowhere"],
  "muster validate job.yaml": [main, "validate", "job.yaml"],
};

function measureMs(argv: string[]): number {
  const began = performance.now();
  spawnSync(process.execPath, argv, { cwd: folder, stdio: "ignore" });
  return performance.now() - began;
}

// One round runs each program once, so that other load on the machine meets all of them.
const times = new Map(Object.keys(programs).map((name) => [name, [] as number[]]));
for (let round = 0; round < ROUNDS; round++)
  for (const [name, argv] of Object.entries(programs)) times.get(name)!.push(measureMs(argv));
rmSync(folder, { recursive: true });

const [best, median] = [
  (name: string) => Math.min(...times.get(name)!),
  (name: string) => times.get(name)!.sort((a, b) => a - b)[ROUNDS >> 1]!,
];
process.stdout.write(
  `| start-up, ${ROUNDS} rounds | best | median | best, of an empty program's |\n|---|---|---|---|\n`,
);
for (const name of times.keys()) {
  const ratio = (best(name) / best(EMPTY)).toFixed(2);
  process.stdout.write(`| ${name} | ${best(name).toFixed(0)} ms | ${median(name).toFixed(0)} ms | ${ratio} |\n`);
}

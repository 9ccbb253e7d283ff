/**
 * Runs test files side by side. Prints a line for each file when it ends, and the counts at the end. See test/run. `--note TEXT` is
 * a failure outside of the tests, which is reported with theirs; `--skipped TEXT` says which files are left out, and why.
 */
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { delimiter, dirname } from "node:path";
import { parseArgs } from "node:util";
import { findOrphanedCgroups } from "../lab/labcgroups.js";
import { runFile } from "./runfile.js";
import { mergeCounts, type TestCounts } from "./testcounts.js";
import { findOrphanedRules } from "./testleftovers.js";
import { formatFile, formatSummary } from "./testreport.js";

/** Parts of the paths of files that take long, because they wait for cron or for timeouts. They start first, in this order. */
const SLOWEST_FIRST = [
  "cli/crond",
  "cli/gpu-memory",
  "playbooks/python-env",
  "faults/silence",
  "cli/runpipeline",
  "cli/pipeline",
  "cli/schedule",
  "cli/stragglers",
  "faults/processes",
  "faults/node",
  "faults/",
  "cli/",
];
/** Files wait for timeouts, too; with more of them at once, tests of timeouts see a machine that is too slow for these. */
const MAX_PARALLEL_FILES = availableParallelism() + 1;

function print(lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}

function rank(file: string): number {
  const index = SLOWEST_FIRST.findIndex((part) => file.includes(`test/${part}`));
  return index < 0 ? SLOWEST_FIRST.length : index;
}

/**
 * Returns PATH with the folder of the Python interpreter first: the script that a version manager has in its place takes ten times the
 * processor time of the interpreter to start, and tests start it thousands of times.
 */
function findPath(): string {
  const { stdout } = spawnSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" });
  const path = process.env.PATH ?? "";
  return stdout?.startsWith("/") ? `${dirname(stdout.trim())}${delimiter}${path}` : path;
}

process.env.PATH = findPath();
const { values, positionals } = parseArgs({
  options: { note: { type: "string" }, skipped: { type: "string" } },
  allowPositionals: true,
});
const queuedFiles = [...positionals].sort((a, b) => rank(a) - rank(b));
const finished: TestCounts[] = [];
const stop = new AbortController();
let signalExitCode = 0;
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)
  process.on(signal, () => {
    signalExitCode = code;
    stop.abort();
  });

async function runFiles(): Promise<void> {
  for (let file = queuedFiles.shift(); file !== undefined && !stop.signal.aborted; file = queuedFiles.shift()) {
    const began = performance.now();
    const counts = await runFile(file, stop.signal);
    finished.push(counts);
    print(formatFile(counts, performance.now() - began));
  }
}

await Promise.all(Array.from({ length: MAX_PARALLEL_FILES }, runFiles));
const total = mergeCounts(finished);
for (const rule of [...findOrphanedRules(), ...findOrphanedCgroups().map((path) => `cgroup ${path}`)])
  total.failed.push({ file: "test/run", name: `left behind: ${rule}`, failures: [], comments: [] });
if (values.note) print([`failed: ${values.note}`]);
if (values.skipped) print([`skipped: ${values.skipped}`]);
if (signalExitCode) print(["interrupted"]);
print(formatSummary(total));
// A run in which no test passed has not succeeded either.
process.exitCode = signalExitCode || (total.failed.length === 0 && total.passed > 0 && !values.note ? 0 : 1);

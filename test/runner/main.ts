/**
 * Runs test files side by side, those that wait longest first; prints a line a file as it ends, and the counts at the end. See
 * test/run. `--note TEXT` is a failure outside the tests, to be told beside theirs.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { runFile } from "./runfile.js";
import { mergeCounts, type TestCounts } from "./testcounts.js";
import { findOrphanedRules } from "./testleftovers.js";
import { formatFile, formatSummary } from "./testreport.js";

/** Files that mostly wait: for cron's next minute, for a node's silence to be noticed. They begin first, in this order. */
const SLOWEST_FIRST = [
  "cli/cron",
  "faults/silence",
  "cli/pipeline",
  "cli/schedule",
  "cli/tail",
  "faults/processes",
  "faults/node",
  "faults/",
  "cli/",
];
/** So many files at a time: most wait for nodes more than they compute. */
const MAX_PARALLEL_FILES = availableParallelism() + 2;

function print(lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}

function rank(file: string): number {
  const index = SLOWEST_FIRST.findIndex((part) => file.includes(`test/${part}`));
  return index < 0 ? SLOWEST_FIRST.length : index;
}

const { values, positionals } = parseArgs({ options: { note: { type: "string" } }, allowPositionals: true });
const queuedFiles = [...positionals].sort((a, b) => rank(a) - rank(b));
const tallies: TestCounts[] = [];
const stop = new AbortController();
let signalled = 0;
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)
  process.on(signal, () => {
    signalled = code;
    stop.abort();
  });

async function runFiles(): Promise<void> {
  for (let file = queuedFiles.shift(); file !== undefined && !stop.signal.aborted; file = queuedFiles.shift()) {
    const began = performance.now();
    const tally = await runFile(file, stop.signal);
    tallies.push(tally);
    print(formatFile(tally, performance.now() - began));
  }
}

await Promise.all(Array.from({ length: MAX_PARALLEL_FILES }, runFiles));
const tally = mergeCounts(tallies);
for (const what of findOrphanedRules())
  tally.failed.push({ file: "test/run", name: `left behind: ${what}`, failures: [], comments: [] });
if (values.note) print([`failed: ${values.note}`]);
if (signalled) print(["interrupted"]);
print(formatSummary(tally));
// Nothing passed is no success either.
process.exitCode = signalled || (tally.failed.length === 0 && tally.passed > 0 && !values.note ? 0 : 1);

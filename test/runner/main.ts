/**
 * Runs test files side by side, those that wait longest first; prints a line a file as it ends, and the counts at the end. See
 * test/run. `--note TEXT` is a failure outside the tests, to be told beside theirs.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { runFile } from "./file.js";
import { orphanedRules } from "./leftovers.js";
import { endLines, fileLines } from "./lines.js";
import { sum, type Tally } from "./tally.js";

/** Files that mostly wait: for cron's next minute, for a node's silence to be noticed. They begin first, in this order. */
const LONG = [
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
const JOBS = availableParallelism() + 2;

function print(lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}

function rank(file: string): number {
  const index = LONG.findIndex((part) => file.includes(`test/${part}`));
  return index < 0 ? LONG.length : index;
}

const { values, positionals } = parseArgs({ options: { note: { type: "string" } }, allowPositionals: true });
const waiting = [...positionals].sort((a, b) => rank(a) - rank(b));
const tallies: Tally[] = [];
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

async function work(): Promise<void> {
  for (let file = waiting.shift(); file !== undefined && !stop.signal.aborted; file = waiting.shift()) {
    const began = performance.now();
    const tally = await runFile(file, stop.signal);
    tallies.push(tally);
    print(fileLines(tally, performance.now() - began));
  }
}

await Promise.all(Array.from({ length: JOBS }, work));
const tally = sum(tallies);
for (const what of orphanedRules())
  tally.failed.push({ file: "test/run", name: `left behind: ${what}`, failures: [], comments: [] });
if (values.note) print([`failed: ${values.note}`]);
if (signalled) print(["interrupted"]);
print(endLines(tally));
// Nothing passed is no success either.
process.exitCode = signalled || (tally.failed.length === 0 && tally.passed > 0 && !values.note ? 0 : 1);

/**
 * Measures the time and the peak memory of reading files with many tasks. See bench/README.md.
 *     npm run bench:tasks [-- COUNT...]
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { projectRoot } from "../test/lab/project.js";
import { measureProcess, type ProcessUsage } from "./processusage.js";

/** The best of this many rounds counts, because other load makes each slower. */
const ROUNDS = 3;

interface BenchTask {
  id: string;
  args: (string | number)[];
  outputs: string[];
}

const HEAD = { name: "many", kind: "tasks", command: ["/bin/sh", "-c", 'echo "$1" >"$2"', "sh"] };

/** The formats of a job file, by extension. */
const FORMATS: Record<string, (tasks: BenchTask[]) => string> = {
  "block.yaml": (tasks) => yaml(tasks.map(block)),
  "flow.yaml": (tasks) => yaml(tasks.map((task) => `  - ${flow(task)}`)),
  json: (tasks) => JSON.stringify({ ...HEAD, tasks }),
  ndjson: (tasks) => [HEAD, ...tasks].map((line) => `${JSON.stringify(line)}\n`).join(""),
};

function yaml(items: string[]): string {
  return `name: many\nkind: tasks\ncommand: ${JSON.stringify(HEAD.command)}\ntasks:\n${items.join("\n")}\n`;
}

function block({ id, args, outputs }: BenchTask): string {
  const list = (items: (string | number)[]) => items.map((item) => `\n      - ${item}`).join("");
  return `  - id: ${id}\n    args:${list(args)}\n    outputs:${list(outputs)}`;
}

function flow({ id, args, outputs }: BenchTask): string {
  return `{id: ${id}, args: [${args.join(", ")}], outputs: [${outputs.join(", ")}]}`;
}

async function main(): Promise<void> {
  const counts = process.argv.slice(2).map(Number);
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const folder = mkdtempSync(join(tmpdir(), "muster-bench-"));
  try {
    for (const count of counts.length === 0 ? [5000, 50_000] : counts) await measure(folder, count);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string, count: number): Promise<void> {
  const tasks = Array.from({ length: count }, (_, n): BenchTask => {
    const output = `results/${n}.txt`;
    return { id: `t${n}`, args: [n, output, "--rate", 0.1], outputs: [output] };
  });
  const muster = join(projectRoot(), "muster");
  for (const [format, write] of Object.entries(FORMATS)) {
    const file = join(folder, `tasks-${count}.${format}`);
    const text = write(tasks);
    writeFileSync(file, text);
    console.log(`${count} tasks, ${format}, ${(text.length / 1048576).toFixed(1)} MiB`);
    // A program that only parses with the yaml package, with the default heap limit.
    const parser = fileURLToPath(new URL("parseyaml.js", import.meta.url));
    if (format.endsWith("yaml")) await print("the yaml package alone", [process.execPath, parser, file]);
    await print("validate", [muster, "validate", file]);
    await print("run --plan", [muster, "run", "--plan", "-i", "local", file]);
    await printRun(muster, file, join(folder, `run-${count}-${format}`));
  }
}

async function print(what: string, argv: string[]): Promise<void> {
  const rounds: ProcessUsage[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measureProcess(argv));
  const failed = rounds.find(({ code }) => code !== 0);
  if (failed !== undefined) throw new Error(`${argv.join(" ")}: exit ${failed.code}`);
  const least = (of: (one: ProcessUsage) => number) => Math.min(...rounds.map(of));
  const peak = Math.max(...rounds.map(({ peakBytes }) => peakBytes));
  show(what, { seconds: least((one) => one.seconds), processor: least((one) => one.processorSeconds), peak });
}

/** Runs the job on this machine until its first result. */
async function printRun(muster: string, file: string, out: string): Promise<void> {
  const hasResult = () => (statSync(join(out, "results.ndjson"), { throwIfNoEntry: false })?.size ?? 0) > 0;
  const ran = await measureProcess([muster, "run", "-i", "local", "--out", out, "-q", file], hasResult);
  execFileSync(muster, ["cancel", out, "-q"]);
  if (ran.untilSeconds === undefined) throw new Error(`run ${file}: no result (exit ${ran.code})`);
  show("run, to its first result", { seconds: ran.untilSeconds, processor: ran.processorSeconds, peak: ran.peakBytes });
}

function show(what: string, { seconds, processor, peak }: { seconds: number; processor: number; peak: number }): void {
  const figures = [
    `${seconds.toFixed(2)} s`,
    `${processor.toFixed(2)} s of processor`,
    `${(peak / 1048576).toFixed(0)} MiB`,
  ];
  console.log(`  ${what.padEnd(26)}${figures.map((figure) => figure.padStart(20)).join("")}`);
}

await main();

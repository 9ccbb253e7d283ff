/**
 * Measures 200 trials of log-normal length on 16 slots of this machine, each decided from the results so far: by generations, a run each, of
 * which every one waits for its slowest trial; by one run of a queue with an `ask` program; and by futures of Dask. See bench/README.md.
 *     npm run bench:asktell [-- TRIALS]
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { projectRoot } from "../test/lab/project.js";
import { hasDask, SYSTEM_PYTHON } from "./localpools.js";
import { runMusterJob } from "./mustercontestant.js";
import { runTimed, type TimedRun } from "./timedrun.js";

const SLOTS = 16;
const LIMIT_SECONDS = 600;

/** A result: when it was known, in seconds since the program started, its loss, and how long its trial slept. */
interface Known {
  at: number;
  loss: number;
}

const trials = Number(process.argv[2] ?? 200);
if (!Number.isInteger(trials) || trials < SLOTS || trials > 2000) {
  console.error("usage: npm run bench:asktell [-- TRIALS]   (16 to 2000; default 200)");
  process.exit(64);
}

const folder = mkdtempSync(join(tmpdir(), "muster-bench-"));
const inventory = join(folder, "inventory.yaml");
const trial = { script: "trial.py", worker: "warm", params: { number: 0, seconds: 0, x: 0, y: 0, file: "loss.json" } };
const common = { ...trial, outputs: ["loss.json"], collect: "lines" };

function writeJob(name: string, keys: object): string {
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, stringify({ name, ...common, ...keys }));
  return file;
}

async function runJob(file: string, out: string): Promise<void> {
  check(await runMusterJob(file, inventory, join(folder, out), LIMIT_SECONDS));
}

function check({ code, stderr, stdout }: TimedRun): void {
  if (code !== 0) throw new Error(`exit ${code}\n${stdout.slice(-1000)}\n${stderr}`);
}

/** The results as a program printed them. */
function parsePrinted(text: string, began: number): Known[] {
  return [...text.matchAll(/^result (\S+) (\S+)$/gm)].map(([, at, loss]) => ({
    at: Number(at) - began / 1000,
    loss: Number(loss),
  }));
}

async function runGenerations(): Promise<Known[]> {
  const began = performance.now();
  const known: Known[] = [];
  const results: string[] = [];
  for (let asked = 0; asked < trials; asked += SLOTS) {
    const size = Math.min(SLOTS, trials - asked);
    const tasks = execFileSync("python3", [join(folder, "generation.py"), `${asked}`, `${size}`], {
      input: results.join("\n"),
      encoding: "utf8",
    });
    const list = tasks
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string; params: object })
      // Tasks of one run have one folder of results, those of a queue one each.
      .map(({ id, params }) => ({ id, params: { ...params, file: `${id}.json` }, outputs: [`${id}.json`] }));
    const out = `generation-${asked}`;
    await runJob(writeJob(out, { kind: "tasks", tasks: list }), out);
    const at = (performance.now() - began) / 1000;
    for (const line of readFileSync(join(folder, out, "results.ndjson"), "utf8")
      .trim()
      .split("\n")) {
      const { chunk, output } = JSON.parse(line) as { chunk: string; output: { loss: number } };
      known.push({ at, loss: output.loss });
      results.push(JSON.stringify({ loss: output.loss, params: list.find(({ id }) => id === chunk)!.params }));
    }
  }
  return known;
}

async function runAskTell(): Promise<Known[]> {
  const began = Date.now();
  await runJob(writeJob("asktell", { kind: "queue", ask: ["python3", "ask.py", `${trials}`] }), "asktell");
  return parsePrinted(readFileSync(join(folder, "asktell/ask.log"), "utf8"), began);
}

async function runDask(): Promise<Known[]> {
  const began = Date.now();
  const argv = [SYSTEM_PYTHON, join(folder, "dask_trials.py"), `${trials}`, `${SLOTS}`];
  const ran = await runTimed(argv, { limit: LIMIT_SECONDS });
  check(ran);
  return parsePrinted(ran.stdout, began);
}

/** The seconds that all trials sleep. */
function sumSeconds(): number {
  const program =
    "import evolution, sys; one = evolution.Evolution(); print(sum(one.suggest()['seconds'] for _ in range(int(sys.argv[1]))))";
  return Number(execFileSync("python3", ["-c", program, `${trials}`], { cwd: folder, encoding: "utf8" }));
}

function firstReaching(known: Known[], loss: number): number {
  return Math.min(...known.filter((one) => one.loss <= loss).map(({ at }) => at));
}

async function main(): Promise<void> {
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  cpSync(join(projectRoot(), "bench/asktell"), folder, { recursive: true });
  writeFileSync(inventory, stringify({ nodes: { here: { connection: "local", slots: SLOTS } } }));
  const work = sumSeconds();
  console.log(
    `${trials} trials, ${work.toFixed(0)} s in all, on ${SLOTS} slots: ${(work / SLOTS).toFixed(1)} s without a gap`,
  );
  const contests: [name: string, run: () => Promise<Known[]>][] = [
    ["generations", runGenerations],
    ["ask and tell", runAskTell],
    ...(hasDask() ? [["Dask", runDask] as [string, () => Promise<Known[]>]] : []),
  ];
  const all: [name: string, known: Known[]][] = [];
  for (const [name, run] of contests) all.push([name, await run()]);
  const target = Math.max(...all.map(([, known]) => Math.min(...known.map(({ loss }) => loss))));
  for (const [name, known] of all) {
    const end = Math.max(...known.map(({ at }) => at));
    const used = ((100 * work) / SLOTS / end).toFixed(0);
    const reached = firstReaching(known, target).toFixed(1);
    if (known.length !== trials) process.exitCode = 1;
    console.log(
      `${name.padEnd(14)} ${known.length} results in ${end.toFixed(1).padStart(6)} s, ${used} % of the slots used; a loss of ${target.toPrecision(3)} after ${reached} s`,
    );
  }
  if (!hasDask()) console.log("Dask is left out: apt-get install python3-distributed");
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true });
}

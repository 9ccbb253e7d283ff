/**
 * Runs seeded plans of jobs and faults, several side by side, and checks what came of each: see README.md beside this file. Prints a
 * line a run and a table at the end; exits 1 where a run failed.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runMuster } from "../cli/startmuster.js";
import { lacking } from "../lab/requirements.js";
import { type ChaosPlan, drawPlan, type KindSelection } from "./chaosplan.js";
import { type PlanResult, runPlan } from "./chaosrun.js";
import { describePlan, summarizePlan } from "./describeplan.js";
import { keepEvidence } from "./evidence.js";
import { type FaultKind, KINDS } from "./faultkinds.js";
import { FaultTable } from "./faulttable.js";
import { Scenario } from "./scenario.js";
import { Testbed } from "./testbed.js";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    runs: { type: "string", default: "10" },
    jobs: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    except: { type: "string", default: "" },
    keep: { type: "string", default: join(tmpdir(), "muster-chaos") },
    plan: { type: "boolean", default: false },
  },
});

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function kindsOf(list: string): FaultKind[] {
  const names = list.split(",").filter((name) => name !== "");
  for (const name of names)
    if (!(KINDS as readonly string[]).includes(name))
      throw new Error(`${name} is no kind of fault: ${KINDS.join(", ")}`);
  return names as FaultKind[];
}

const selection: KindSelection = { only: kindsOf(values.only), except: kindsOf(values.except) };
const first = Number(values.seed);
const seeds = Array.from({ length: Number(values.runs) }, (_, index) => first + index);
const scenarios = new Set<Scenario>();
const faultTable = new FaultTable();
let stopped = false;

/** A testbed that runs one plan after the other. */
async function work(adopt: string[] | undefined): Promise<void> {
  const testbed = await Testbed.start();
  try {
    for (let seed = seeds.shift(); seed !== undefined && !stopped; seed = seeds.shift()) {
      await runSeed(drawPlan(seed, selection), testbed, adopt);
      await testbed.restore();
    }
  } finally {
    await testbed.stop();
  }
}

async function runSeed(plan: ChaosPlan, testbed: Testbed, adopt: string[] | undefined): Promise<void> {
  const began = performance.now();
  const scenario = await Scenario.open(plan, testbed);
  scenarios.add(scenario);
  try {
    if (stopped) return;
    const verdict = await runPlan(scenario, adopt);
    if (stopped) return;
    faultTable.add(plan, verdict);
    report(plan, verdict, (performance.now() - began) / 1000);
    if (verdict.problems.length > 0) keepEvidence(join(values.keep, `seed-${plan.seed}`), scenario, verdict);
  } finally {
    await scenario.close();
    scenarios.delete(scenario);
  }
}

function report(plan: ChaosPlan, { problems, missed }: PlanResult, seconds: number): void {
  const state = problems.length === 0 ? "ok    " : "FAILED";
  const left = missed.length === 0 ? "" : ` (no occasion: ${missed.join(", ")})`;
  print(`${state} seed ${plan.seed} ${seconds.toFixed(1).padStart(5)} s  ${summarizePlan(plan)}${left}`);
  for (const problem of problems) print(`         ${problem.split("\n").join("\n         ")}`);
  if (problems.length > 0) print(`         kept in ${join(values.keep, `seed-${plan.seed}`)}`);
}

async function main(): Promise<void> {
  if (values.plan) {
    for (const seed of seeds) print(describePlan(drawPlan(seed, selection)));
    return;
  }
  const reason = lacking("chaos");
  if (reason) throw new Error(reason);
  const { out } = await runMuster(["run", "--help"]);
  const adopt = out.includes("--adopt") ? ["--adopt"] : undefined;
  const began = performance.now();
  await Promise.all(Array.from({ length: Math.min(Number(values.jobs), seeds.length) }, () => work(adopt)));
  for (const line of faultTable.lines()) print(line);
  print(
    `${Math.round((performance.now() - began) / 1000)} s; failed seeds: ${faultTable.failedSeeds.join(" ") || "none"}`,
  );
  process.exitCode = faultTable.failedSeeds.length > 0 || stopped ? 1 : 0;
}

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    stopped = true;
    for (const scenario of scenarios) void scenario.close();
  });

await main();

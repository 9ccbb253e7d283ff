import type { RunCopy } from "./runcopy.js";
import type { Scenario } from "./scenario.js";
import type { PlacedJob } from "./workload.js";

/** What `muster status --json` and `muster report --json` have in common. */
interface StatusJson {
  name: string;
  state: string;
  chunks: { done: number; failed: number };
  units: { done: string; total?: string };
  steps?: { step: string; state: string }[];
}

/** What `muster report --json` has of a job beside that. */
interface ReportJson extends StatusJson {
  nodes: { chunks: number; units: string }[];
  sessions: unknown[];
  failures: unknown[];
  missing: string[];
}

/** Asks a place, while a coordinator works on it, how it stands. */
export async function checkRunningReports(scenario: Scenario, place: RunCopy): Promise<void> {
  if (!place.hasJournal) return;
  for (const verb of ["status", "report"]) {
    const wasAtWork = place.process?.isAtWork;
    const reported = await ask<StatusJson>(scenario, [verb, place.path]);
    // It may have written down its end, and not have ended yet.
    const states = ["running", "complete", "partial"];
    if (reported !== undefined && wasAtWork && place.isRunning && !states.includes(reported.state))
      scenario.problems.push(`muster ${verb}: says "${reported.state}" of a run whose coordinator lives`);
  }
}

/** Asks a place that has come to its end how it stands and what it did; that must agree with its journal. */
export async function checkReports(scenario: Scenario, place: RunCopy): Promise<void> {
  const { isPipeline, jobs } = scenario.workload;
  if (isPipeline) {
    for (const verb of ["status", "report"]) {
      const reported = await ask<StatusJson>(scenario, [verb, place.path]);
      if (reported === undefined) continue;
      const steps = [...new Set(reported.steps?.map(({ state }) => state))].join(", ");
      compare(
        scenario,
        `muster ${verb} of the pipeline`,
        { state: reported.state, steps },
        { state: place.state, steps: place.state },
      );
    }
  }
  for (const placed of jobs) await checkJob(scenario, place, placed);
}

async function checkJob(scenario: Scenario, place: RunCopy, placed: PlacedJob): Promise<void> {
  const folder = place.folderOf(placed);
  const committed = place.committedOf(placed);
  const items = committed.reduce((sum, { first, end }) => sum + end - first, 0);
  const failed = place.state === "partial" && placed.job.plan.chunkFault?.times === "always" ? 1 : 0;
  const facts = {
    state: place.state,
    done: committed.length,
    failed,
    units: `${items}`,
    total: `${placed.job.plan.items}`,
  };
  const factsOf = ({ state, chunks, units }: StatusJson) => ({
    state,
    done: chunks.done,
    failed: chunks.failed,
    units: units.done,
    total: units.total,
  });
  const status = await ask<StatusJson>(scenario, ["status", folder]);
  if (status !== undefined) compare(scenario, `muster status of ${placed.job.name}`, factsOf(status), facts);
  const report = await ask<ReportJson>(scenario, ["report", folder]);
  if (report === undefined) return;
  const sum = (value: (node: ReportJson["nodes"][number]) => number) =>
    report.nodes.reduce((all, node) => all + value(node), 0);
  compare(
    scenario,
    `muster report of ${placed.job.name}`,
    {
      ...factsOf(report),
      nodesDone: sum((node) => node.chunks),
      nodesUnits: sum((node) => Number(node.units)),
      sessions: report.sessions.length,
      failures: report.failures.length,
      missing: report.missing.join("; "),
    },
    {
      ...facts,
      nodesDone: committed.length,
      nodesUnits: items,
      sessions: place.sessionsOf(placed),
      failures: failed,
      missing: "",
    },
  );
}

/** Runs a command with --json; undefined, and noted, where it fails or prints something else. */
async function ask<T>(scenario: Scenario, words: string[]): Promise<T | undefined> {
  const { out, code } = await scenario.command([...words, "--json"]);
  if (code !== 0) return undefined;
  try {
    return JSON.parse(out) as T;
  } catch (error) {
    scenario.problems.push(`muster ${words[0]} --json: ${error}`);
    return undefined;
  }
}

type ReportFields = Record<string, unknown>;

function compare(scenario: Scenario, what: string, reported: ReportFields, facts: ReportFields): void {
  for (const [key, fact] of Object.entries(facts))
    if (reported[key] !== fact) scenario.problems.push(`${what}: ${key} is ${reported[key]}, must be ${fact}`);
}

import { countExecutions, executionProblems } from "./checkexecutions.js";
import { endProblems } from "./checknodes.js";
import { checkReports } from "./checkreports.js";
import { resultsProblems } from "./checkresults.js";
import { injectDirectoryFault } from "./directoryfaults.js";
import type { DirectoryFault, Fault, FaultMoment } from "./faultkinds.js";
import { feedQueue } from "./feedqueue.js";
import { finishRuns } from "./finishruns.js";
import { injectNodeFault } from "./nodefaults.js";
import { injectProcessFault } from "./processfaults.js";
import { reachMoment } from "./reachmoment.js";
import type { Scenario } from "./scenario.js";

/** What came of one run. */
export interface PlanResult {
  problems: string[];
  /** Kinds of faults that were injected. */
  injected: Fault["kind"][];
  /** Kinds for which there was no occasion. */
  missed: Fault["kind"][];
  /** How often items were executed, and how many there are. */
  executions: number;
  items: number;
}

const DIRECTORY_FAULTS: Fault["kind"][] = ["copy", "backup", "restore", "move", "disk-full-here"];

function isDirectoryFault(fault: Fault): fault is FaultMoment & DirectoryFault {
  return DIRECTORY_FAULTS.includes(fault.kind);
}

/** Runs a plan in its scenario: faults, the way to the end, and all checks. `adopt`: see finish. */
export async function runPlan(scenario: Scenario, adopt: string[] | undefined): Promise<PlanResult> {
  const verdict: PlanResult = { problems: scenario.problems, injected: [], missed: [], executions: 0, items: 0 };
  const feeding = feedQueue(scenario).catch((error) => {
    scenario.problems.push(`the harness: ${error}`);
  });
  try {
    for (const fault of scenario.plan.faults) {
      await reachMoment(scenario, fault);
      ((await inject(scenario, fault)) ? verdict.injected : verdict.missed).push(fault.kind);
    }
    await feeding;
    const copied = scenario.copies.length > 1 ? scenario.plan.faults.find((fault) => fault.kind === "copy") : undefined;
    await finishRuns(scenario, copied?.kind === "copy" ? copied.order : undefined, adopt);
    await check(scenario);
  } catch (error) {
    scenario.problems.push(`the harness: ${error instanceof Error ? error.stack : error}`);
  }
  await feeding;
  verdict.executions = [...countExecutions(scenario).values()].reduce((sum, count) => sum + count, 0);
  verdict.items = scenario.workload.items;
  return verdict;
}

function inject(scenario: Scenario, fault: Fault): Promise<boolean> {
  if ("node" in fault) return injectNodeFault(scenario, fault);
  if (isDirectoryFault(fault)) return injectDirectoryFault(scenario, fault);
  return injectProcessFault(scenario, fault);
}

async function check(scenario: Scenario): Promise<void> {
  const { copies: places, problems, plan } = scenario;
  problems.push(...(await endProblems(scenario)), ...executionProblems(scenario));
  for (const place of places) {
    if (place.state !== "complete" && place.state !== "partial") continue;
    problems.push(...resultsProblems(place, scenario.workload));
    await checkReports(scenario, place);
  }
  const [original] = places;
  if (!plan.runsAgain || original!.state !== "complete") return;
  const muster = scenario.launch(original!, "once more");
  await scenario.end(muster, 30);
  if (muster.exit === 0 && !/already complete/.test(muster.ran!.out))
    problems.push(`${muster.label}: does not say that it is complete already`);
}

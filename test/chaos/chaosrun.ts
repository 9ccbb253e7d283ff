import { countExecutions, executionProblems } from "./checkexecutions.js";
import { endProblems } from "./checknodes.js";
import { checkReports } from "./checkreports.js";
import { resultsProblems } from "./checkresults.js";
import { injectDirectoryFault } from "./directoryfaults.js";
import type { DirectoryFault, Fault, FaultMoment } from "./faultkinds.js";
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

/** Runs a plan in its scene: faults, the way to the end, and all checks. `adopt`: see finish. */
export async function runPlan(scene: Scenario, adopt: string[] | undefined): Promise<PlanResult> {
  const verdict: PlanResult = { problems: scene.problems, injected: [], missed: [], executions: 0, items: 0 };
  try {
    for (const fault of scene.plan.faults) {
      await reachMoment(scene, fault);
      ((await inject(scene, fault)) ? verdict.injected : verdict.missed).push(fault.kind);
    }
    const copied = scene.copies.length > 1 ? scene.plan.faults.find((fault) => fault.kind === "copy") : undefined;
    await finishRuns(scene, copied?.kind === "copy" ? copied.order : undefined, adopt);
    await check(scene);
  } catch (error) {
    scene.problems.push(`the harness: ${error instanceof Error ? error.stack : error}`);
  }
  verdict.executions = [...countExecutions(scene).values()].reduce((sum, count) => sum + count, 0);
  verdict.items = scene.workload.items;
  return verdict;
}

function inject(scene: Scenario, fault: Fault): Promise<boolean> {
  if ("node" in fault) return injectNodeFault(scene, fault);
  if (isDirectoryFault(fault)) return injectDirectoryFault(scene, fault);
  return injectProcessFault(scene, fault);
}

async function check(scene: Scenario): Promise<void> {
  const { copies: places, problems, plan } = scene;
  problems.push(...(await endProblems(scene)), ...executionProblems(scene));
  for (const place of places) {
    if (place.state !== "complete" && place.state !== "partial") continue;
    problems.push(...resultsProblems(place, scene.workload));
    await checkReports(scene, place);
  }
  const [original] = places;
  if (!plan.runsAgain || original!.state !== "complete") return;
  const life = scene.launch(original!, "once more");
  await scene.end(life, 30);
  if (life.exit === 0 && !/already complete/.test(life.ran!.out))
    problems.push(`${life.label}: does not say that it is complete already`);
}

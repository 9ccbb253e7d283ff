import { setTimeout as sleep } from "node:timers/promises";
import { findAgentPid } from "../faults/checks.js";
import { nodesProblems } from "./checknodes.js";
import { checkRunningReports } from "./checkreports.js";
import type { Ending, ProcessFault } from "./faultkinds.js";
import type { ProcessExit } from "./musterprocess.js";
import type { Scenario } from "./scenario.js";

/** Seconds in which a coordinator ends that was told to. */
const END_TIMEOUT_SECONDS = 30;
/** How long a kill point is waited for. */
const FAILPOINT_TIMEOUT_MS = 10_000;

/** Ends the coordinator, where one runs. */
export async function endCoordinator(scene: Scenario, how: Ending | "SIGTERM"): Promise<void> {
  const { process: life } = scene.original;
  if (life === undefined || life.isOver) return;
  const exits: { [signal: string]: ProcessExit } = { SIGKILL: "killed", SIGINT: 130, SIGTERM: 143 };
  life.allow(exits[how]!);
  life.signal("SIGCONT");
  life.signal(how);
  await scene.end(life, END_TIMEOUT_SECONDS);
}

/** Injects a fault of the coordinator; false where there was no occasion for it. */
export async function injectProcessFault(scene: Scenario, fault: ProcessFault): Promise<boolean> {
  const { original } = scene;
  if (fault.kind === "kill-point") return killAtPoint(scene, fault.at);
  if (!original.isRunning) return false;
  const life = original.process!;
  switch (fault.kind) {
    case "kill":
      await endCoordinator(scene, "SIGKILL");
      return true;
    case "interrupt":
      await endCoordinator(scene, "SIGINT");
      return true;
    case "terminate":
      await endCoordinator(scene, "SIGTERM");
      return true;
    case "interrupt-twice":
      life.allow(130);
      life.signal("SIGCONT");
      life.signal("SIGINT");
      await sleep(30);
      await endCoordinator(scene, "SIGINT");
      return true;
    case "pause":
      life.signal("SIGSTOP");
      scene.during(fault.forMs, [], () => life.signal("SIGCONT"));
      return true;
    case "second-coordinator":
      return startSecond(scene);
    case "cancel":
      return cancel(scene);
    case "inspect":
      await checkRunningReports(scene, original);
      return true;
    case "absence":
      return leaveAlone(scene, fault.forMs);
  }
}

async function killAtPoint(scene: Scenario, at: string): Promise<boolean> {
  await endCoordinator(scene, "SIGKILL");
  const life = scene.launch(scene.original, `to be killed at ${at}`, { MUSTER_KILL_AT: at });
  life.allow("killed");
  await Promise.race([life.ended, sleep(FAILPOINT_TIMEOUT_MS)]);
  return life.exit === "killed";
}

/** Of two that start on one run directory exactly one is refused: mostly the second one. */
async function startSecond(scene: Scenario): Promise<boolean> {
  const first = scene.original.process!;
  const wasAtWork = first.isAtWork;
  const second = scene.start(scene.original, "beside another");
  for (const life of [first, second]) life.allow(75);
  await scene.end(second, END_TIMEOUT_SECONDS);
  // Of one that has written down its end the process may live for a moment.
  const isBusy = wasAtWork && !first.isOver && !/already complete/.test(second.ran!.out);
  if (isBusy && second.exit !== 75) scene.problems.push(`${second.label}: ended with ${second.exit} beside another`);
  // The first one may have been refused by nodes that belong to another copy.
  if (!scene.hasConflict && first.exit === 75 && second.exit === 75)
    scene.problems.push(`${second.label}: both were refused`);
  return second.exit === 75;
}

async function cancel(scene: Scenario): Promise<boolean> {
  const { original, nodes, allowance } = scene;
  if (scene.workload.executions(nodes).length === 0) return false;
  const life = original.process!;
  // One that is only starting may find that its run directory is held by the command.
  life.allow(143, 75);
  const safe = original.committed();
  const isReachable = !scene.isDisturbed;
  const refused: ProcessExit[] = scene.hasConflict ? [3, 75] : [];
  const ran = await scene.command(["cancel", original.path], [0, ...(isReachable ? [] : [3 as const]), ...refused]);
  await scene.end(life, END_TIMEOUT_SECONDS);
  for (const node of nodes) allowance.expose(node, safe, 0);
  if (ran.code === 0 && isReachable)
    scene.problems.push(...(await nodesProblems(scene, nodes)).map((problem) => `after muster cancel: ${problem}`));
  return true;
}

/** Agents that nobody comes back to end by themselves, and leave nothing. */
async function leaveAlone(scene: Scenario, forMs: number): Promise<boolean> {
  const { nodes, problems } = scene;
  const life = scene.original.process!;
  // One that was killed, or not told its lease yet, removes nothing so soon.
  const opened = nodes.filter((node) => findAgentPid(node) !== undefined && life.isAttached(node.name));
  await endCoordinator(scene, "SIGKILL");
  await sleep(forMs);
  if (!scene.isDisturbed)
    problems.push(...(await nodesProblems(scene, opened)).map((problem) => `after the lease: ${problem}`));
  return true;
}

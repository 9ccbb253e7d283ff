import { setTimeout as sleep } from "node:timers/promises";
import { findAgentPid } from "../faults/checks.js";
import { nodesProblems } from "./checknodes.js";
import { checkRunningReports } from "./checkreports.js";
import type { Ending, ProcessFault } from "./faultkinds.js";
import type { ProcessExit } from "./musterprocess.js";
import type { Scenario } from "./scenario.js";

/** How long a coordinator may take to end after a signal. */
const END_TIMEOUT_SECONDS = 30;
/** How long a coordinator may take to reach its failpoint. */
const FAILPOINT_TIMEOUT_MS = 10_000;

/** Ends the coordinator if one is running. */
export async function endCoordinator(scenario: Scenario, how: Ending | "SIGTERM"): Promise<void> {
  const { process: muster } = scenario.original;
  if (muster === undefined || muster.isOver) return;
  const exits: { [signal: string]: ProcessExit } = { SIGKILL: "killed", SIGINT: 130, SIGTERM: 143 };
  muster.allow(exits[how]!);
  muster.signal("SIGCONT");
  muster.signal(how);
  await scenario.end(muster, END_TIMEOUT_SECONDS);
}

/** Injects a fault of the coordinator. Resolves with false if there was no opportunity. */
export async function injectProcessFault(scenario: Scenario, fault: ProcessFault): Promise<boolean> {
  const { original } = scenario;
  if (fault.kind === "failpoint") return killAtFailpoint(scenario, fault.at);
  if (!original.isRunning) return false;
  const muster = original.process!;
  switch (fault.kind) {
    case "kill":
      await endCoordinator(scenario, "SIGKILL");
      return true;
    case "interrupt":
      await endCoordinator(scenario, "SIGINT");
      return true;
    case "terminate":
      await endCoordinator(scenario, "SIGTERM");
      return true;
    case "interrupt-twice":
      muster.allow(130);
      muster.signal("SIGCONT");
      muster.signal("SIGINT");
      await sleep(30);
      await endCoordinator(scenario, "SIGINT");
      return true;
    case "pause":
      muster.signal("SIGSTOP");
      scenario.during(fault.forMs, [], () => muster.signal("SIGCONT"));
      return true;
    case "second-coordinator":
      return startSecond(scenario);
    case "cancel":
      return cancel(scenario);
    case "inspect":
      await checkRunningReports(scenario, original);
      return true;
    case "absence":
      return leaveAlone(scenario, fault.forMs);
  }
}

async function killAtFailpoint(scenario: Scenario, at: string): Promise<boolean> {
  await endCoordinator(scenario, "SIGKILL");
  const muster = scenario.launch(scenario.original, `to be killed at ${at}`, { MUSTER_KILL_AT: at });
  muster.allow("killed");
  await Promise.race([muster.ended, sleep(FAILPOINT_TIMEOUT_MS)]);
  return muster.exit === "killed";
}

/** Starts a second coordinator on the run directory. Exactly one of the two is refused, usually the second. */
async function startSecond(scenario: Scenario): Promise<boolean> {
  const first = scenario.original.process!;
  const wasAtWork = first.isAtWork;
  const second = scenario.start(scenario.original, "beside another");
  for (const muster of [first, second]) muster.allow(75);
  await scenario.end(second, END_TIMEOUT_SECONDS);
  // A coordinator that has journaled its end may exist for a moment longer.
  const isBusy = wasAtWork && !first.isOver && !/already complete/.test(second.ran!.out);
  if (isBusy && second.exit !== 75) scenario.problems.push(`${second.label}: ended with ${second.exit} beside another`);
  // The first one may have been refused by nodes that belong to another copy.
  if (!scenario.hasConflict && first.exit === 75 && second.exit === 75)
    scenario.problems.push(`${second.label}: both were refused`);
  return second.exit === 75;
}

async function cancel(scenario: Scenario): Promise<boolean> {
  const { original, nodes, allowance } = scenario;
  if (scenario.workload.executions(nodes).length === 0) return false;
  const muster = original.process!;
  // A coordinator that is starting may find its run directory locked by the command.
  muster.allow(143, 75);
  const safe = original.committed();
  const isReachable = !scenario.isDisturbed;
  const refused: ProcessExit[] = scenario.hasConflict ? [3, 75] : [];
  const ran = await scenario.command(["cancel", original.path], [0, ...(isReachable ? [] : [3 as const]), ...refused]);
  await scenario.end(muster, END_TIMEOUT_SECONDS);
  for (const node of nodes) allowance.expose(node, safe, 0);
  if (ran.code === 0 && isReachable)
    scenario.problems.push(
      ...(await nodesProblems(scenario, nodes)).map((problem) => `after muster cancel: ${problem}`),
    );
  return true;
}

/** Kills the coordinator for longer than the lease, after which agents must have ended and left nothing. */
async function leaveAlone(scenario: Scenario, forMs: number): Promise<boolean> {
  const { nodes, problems } = scenario;
  const muster = scenario.original.process!;
  // An agent that was killed, or that does not know its lease yet, does not clean up that soon.
  const opened = nodes.filter((node) => findAgentPid(node) !== undefined && muster.isAttached(node.name));
  await endCoordinator(scenario, "SIGKILL");
  await sleep(forMs);
  if (!scenario.isDisturbed)
    problems.push(...(await nodesProblems(scenario, opened)).map((problem) => `after the lease: ${problem}`));
  return true;
}

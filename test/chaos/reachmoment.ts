import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./faultkinds.js";
import type { Scenario } from "./scenario.js";

/** The longest that a share of the work is waited for: what a fault has slowed down is not waited for. */
const MAX_WAIT_MS = 12_000;
/** Pause between two looks at the journal. */
const POLL_INTERVAL_MS = 20;
/** A run directory may be touched when its run is complete, too. */
const AFTER_END: Fault["kind"][] = ["copy", "backup", "restore", "move"];

/** Has a coordinator at work and waits until it is time for a fault, or there is no sense in waiting any longer. */
export async function reachMoment(scenario: Scenario, fault: Fault): Promise<void> {
  const { original } = scenario;
  // The failpoint may be one that is reached at the start.
  if (fault.kind === "failpoint" && original.process === undefined && fault.share < 0.3) return;
  if (!original.isRunning && !isAtEnd(scenario)) scenario.launch(original, "start");
  const deadline = performance.now() + MAX_WAIT_MS;
  while (original.isRunning && performance.now() < deadline && scenario.share < fault.share)
    await sleep(POLL_INTERVAL_MS);
  await sleep(fault.delayMs);
  if (original.isRunning || original.process === undefined) return;
  await scenario.end(original.process, 1);
  if (!isAtEnd(scenario) && !AFTER_END.includes(fault.kind)) scenario.launch(original, "on");
}

/** A run that came to its end is started again only by what changes its run directory. */
function isAtEnd({ original }: Scenario): boolean {
  return original.process?.exit === 0;
}

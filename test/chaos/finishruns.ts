import { setTimeout as sleep } from "node:timers/promises";
import type { CopyOrder } from "./faultkinds.js";
import type { RunCopy } from "./runcopy.js";
import type { Scenario } from "./scenario.js";

/** The longest that a coordinator which nobody disturbs may take, in seconds. */
const UNDISTURBED_END_TIMEOUT_SECONDS = 75;
/** How often the command is given at the most until a run is at its end. */
const MAX_RUNS = 6;
/** The share of all items that the copy commits before it is killed, where both run in turns, and how long that is waited for. */
const TURN_SHARE = 0.2;
const TURN_MS = 15_000;

/** Gives the command in every run directory until that is at its end, or refused; `adopt`: the words that take refused ones over. */
export async function finishRuns(
  scenario: Scenario,
  order: CopyOrder | undefined,
  adopt: string[] | undefined,
): Promise<void> {
  await scenario.settle();
  const [original, copy] = scenario.copies as [RunCopy, RunCopy | undefined];
  if (copy === undefined) await continueToEnd(scenario, original);
  else await continueBoth(scenario, original, copy, order!);
  for (const place of scenario.copies.filter(({ state }) => state === "refused")) {
    // Its nodes may be free by now.
    await continueToEnd(scenario, place);
    if (place.state === "refused" && adopt !== undefined) await continueToEnd(scenario, place, adopt);
  }
  if (adopt === undefined && scenario.copies.some(isAtEnd)) return;
  for (const place of scenario.copies)
    if (place.state === "refused") scenario.problems.push(`${place.name}: is refused, and nothing takes it over`);
}

function isAtEnd({ state }: RunCopy): boolean {
  return state === "complete" || state === "partial";
}

async function continueBoth(scenario: Scenario, original: RunCopy, copy: RunCopy, order: CopyOrder): Promise<void> {
  if (order === "side-by-side") {
    await Promise.all([continueToEnd(scenario, original), continueToEnd(scenario, copy)]);
    return;
  }
  if (order === "alternate") {
    const muster = scenario.launch(copy, "for a while");
    muster.allow("killed");
    await haveTurn(scenario, copy);
    muster.signal("SIGKILL");
    await scenario.end(muster, UNDISTURBED_END_TIMEOUT_SECONDS);
    scenario.allowance.addAllBut(new Set());
  }
  for (const place of order === "copy-first" ? [copy, original] : [original, copy])
    await continueToEnd(scenario, place);
}

async function haveTurn({ workload }: Scenario, copy: RunCopy): Promise<void> {
  const enough = copy.committed().size + TURN_SHARE * workload.items;
  const deadline = performance.now() + TURN_MS;
  while (copy.isRunning && copy.committed().size < enough && performance.now() < deadline) await sleep(20);
}

async function continueToEnd(scenario: Scenario, place: RunCopy, words: string[] = []): Promise<void> {
  place.state = "open";
  for (let count = 0; count < MAX_RUNS; count++) {
    const muster = place.isRunning ? place.process! : scenario.launch(place, ["on", ...words].join(" "), {}, words);
    if (!(await scenario.end(muster, UNDISTURBED_END_TIMEOUT_SECONDS))) break;
    if (muster.exit === 0) place.state = "complete";
    if (muster.exit === "partial" && place.hasFailedAsPlanned()) place.state = "partial";
    if (muster.exit === 75) place.state = "refused";
    if (place.state !== "open") return;
    if (!muster.allowed.has(muster.exit!)) break;
  }
  place.state = "stuck";
  scenario.problems.push(`${place.name}: is not at its end`);
}

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
  scene: Scenario,
  order: CopyOrder | undefined,
  adopt: string[] | undefined,
): Promise<void> {
  await scene.settle();
  const [original, copy] = scene.copies as [RunCopy, RunCopy | undefined];
  if (copy === undefined) await continueToEnd(scene, original);
  else await continueBoth(scene, original, copy, order!);
  for (const place of scene.copies.filter(({ state }) => state === "refused")) {
    // Its nodes may be free by now.
    await continueToEnd(scene, place);
    if (place.state === "refused" && adopt !== undefined) await continueToEnd(scene, place, adopt);
  }
  if (adopt === undefined && scene.copies.some(isAtEnd)) return;
  for (const place of scene.copies)
    if (place.state === "refused") scene.problems.push(`${place.name}: is refused, and nothing takes it over`);
}

function isAtEnd({ state }: RunCopy): boolean {
  return state === "complete" || state === "partial";
}

async function continueBoth(scene: Scenario, original: RunCopy, copy: RunCopy, order: CopyOrder): Promise<void> {
  if (order === "side-by-side") {
    await Promise.all([continueToEnd(scene, original), continueToEnd(scene, copy)]);
    return;
  }
  if (order === "alternate") {
    const life = scene.launch(copy, "for a while");
    life.allow("killed");
    await haveTurn(scene, copy);
    life.signal("SIGKILL");
    await scene.end(life, UNDISTURBED_END_TIMEOUT_SECONDS);
    scene.allowance.addAllBut(new Set());
  }
  for (const place of order === "copy-first" ? [copy, original] : [original, copy]) await continueToEnd(scene, place);
}

async function haveTurn({ workload }: Scenario, copy: RunCopy): Promise<void> {
  const enough = copy.committed().size + TURN_SHARE * workload.items;
  const deadline = performance.now() + TURN_MS;
  while (copy.isRunning && copy.committed().size < enough && performance.now() < deadline) await sleep(20);
}

async function continueToEnd(scene: Scenario, place: RunCopy, words: string[] = []): Promise<void> {
  place.state = "open";
  for (let count = 0; count < MAX_RUNS; count++) {
    const life = place.isRunning ? place.process! : scene.launch(place, ["on", ...words].join(" "), {}, words);
    if (!(await scene.end(life, UNDISTURBED_END_TIMEOUT_SECONDS))) break;
    if (life.exit === 0) place.state = "complete";
    if (life.exit === "partial" && place.hasFailedAsPlanned()) place.state = "partial";
    if (life.exit === 75) place.state = "refused";
    if (place.state !== "open") return;
    if (!life.allowed.has(life.exit!)) break;
  }
  place.state = "stuck";
  scene.problems.push(`${place.name}: is not at its end`);
}

import { setTimeout as sleep } from "node:timers/promises";
import type { Scenario } from "./scenario.js";

/** How long a batch waits for the tasks before it: a fault may hold them up. */
const MAX_WAIT_MS = 4000;
const POLL_INTERVAL_MS = 50;
/** How often a command is given at the most: a full disk lasts seconds. */
const MAX_ATTEMPTS = 40;
const ATTEMPT_PAUSE_MS = 300;

/** Adds the tasks of a queue in batches, each once most of those before it are done, and closes it. Does nothing for other jobs. */
export async function feedQueue(scenario: Scenario): Promise<void> {
  const { shop, original, workload } = scenario;
  const { job } = workload.jobs[0]!;
  if (job.plan.kind !== "queue") return;
  const { batches } = job.plan;
  for (let number = 0; number < batches; number++) {
    const deadline = performance.now() + MAX_WAIT_MS;
    while (number > 0 && scenario.share < (0.8 * number) / batches && performance.now() < deadline)
      await sleep(POLL_INTERVAL_MS);
    const file = shop.write(`batch-${number}.ndjson`, job.batch(number));
    await repeat(scenario, ["add", workload.file, file, "--out", original.path]);
  }
  await repeat(scenario, ["add", original.path, "--close"]);
}

/** Gives a command until it succeeds; it may fail where the disk of the run directory is full for a while. */
async function repeat(scenario: Scenario, words: string[]): Promise<void> {
  for (let attempt = 1; attempt < MAX_ATTEMPTS && scenario.disk !== undefined; attempt++) {
    const { code } = await scenario.command(words, [0, 3]);
    if (code === 0) return;
    await sleep(ATTEMPT_PAUSE_MS);
  }
  await scenario.command(words);
}

import type { NodeWorker } from "./node/nodeworker.js";
import type { Collector } from "./results/collector.js";
import { leavesAgentsRunning, type RunEnd } from "./runend.js";

/** How long an interrupted run waits for results that are being collected; the nodes keep them for the next coordinator. */
const COLLECT_TIMEOUT_SECONDS = 3;

/** Resolves when everything that was being collected at the end of a run is committed, or left to the next coordinator. */
export async function settleCollection(collector: Collector, workers: NodeWorker[], end: RunEnd): Promise<void> {
  // A node that hangs must not delay the end: its agent reports the results again to the next coordinator.
  const detach = () => workers.map((worker) => worker.detach());
  const timer = leavesAgentsRunning(end) ? setTimeout(detach, COLLECT_TIMEOUT_SECONDS * 1000) : undefined;
  await collector.settle();
  clearTimeout(timer);
  await (leavesAgentsRunning(end) ? collector.suspend() : collector.close());
}

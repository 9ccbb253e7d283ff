import type { StepSelection } from "./dependencies.js";
import type { Pipeline } from "./pipeline.js";

/** How long a machine takes to boot, with the checks of its disks and memory. */
const DEFAULT_BOOT_SECONDS = 600;

/**
 * Returns how long a scheduled run waits for nodes that do not answer, in seconds: what the pipeline says, else 10 minutes if `@reboot` has
 * started it, because after a power cut all machines boot at once. 0 where no step uses nodes.
 */
export function nodeWaitSeconds(pipeline: Pipeline, selection: StepSelection): number {
  const usesNodes = pipeline.steps.some(({ action }) => action.kind !== "command");
  if (!usesNodes) return 0;
  const step = selection.kind === "only" ? pipeline.steps.find(({ name }) => name === selection.step) : undefined;
  const schedule = selection.kind === "only" ? step?.schedule : pipeline.schedule;
  return pipeline.waitForNodesSeconds ?? (schedule?.text === "@reboot" ? DEFAULT_BOOT_SECONDS : 0);
}

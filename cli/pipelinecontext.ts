import type { PipelineContext } from "../executor/pipeline/executestep.js";
import type { PipelineSummary } from "../executor/pipeline/pipelinesummary.js";
import { hasResults } from "../executor/pipeline/stepstate.js";
import { type Inventory, matchesAnyPattern } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { PlainProgress, silentProgress } from "../report/progressplain.js";
import type { Writers } from "../report/writers.js";
import { createAdmissionCheck, formatLockWait } from "./admissioncheck.js";
import { runPlaybookStep } from "./playbooks.js";
import type { RunCommandOptions } from "./run.js";

/** What the steps of a pipeline are performed with. `say`: what is told while they run. */
export function createPipelineContext(
  inventory: Inventory,
  nodes: Node[],
  options: RunCommandOptions,
  stop: AbortSignal,
  say: (line: string) => void,
): PipelineContext {
  const waiting = (node: string) => say(formatLockWait(node));
  const under = (step: string): Writers => ({ out: say, err: (text) => say(`[${step}] ${text}`) });
  return {
    inventory,
    nodes,
    isSelected: matchesAnyPattern,
    stop,
    adopt: options.adopt === true,
    createObserver: (step) => (options.quiet || options.json ? silentProgress : new PlainProgress(under(step))),
    createInspection: (job) => createAdmissionCheck(job, inventory, options.provision === true, waiting),
    runPlaybooks: (kind, names, meant, step) => runPlaybookStep(kind, names, meant, inventory, under(step).err),
  };
}

/** What a pipeline's failed steps would have ended with by themselves, where that is one thing and nothing else was done; else 3. */
export function exitStatusOfPipeline({ state, steps }: PipelineSummary, signal: number | undefined): number {
  if (state === "complete") return 0;
  if (state === "interrupted") return signal ?? 130;
  const codes = new Set(steps.flatMap(({ exit }) => (exit === undefined ? [] : [exit])));
  const [code] = codes;
  const worked = steps.some((step) => hasResults(step.state) && (step.kind === "job" || step.kind === "command"));
  return codes.size === 1 && code !== undefined && (code === 2 || code === 75 || !worked) ? code : 3;
}

import type { Means } from "../executor/pipeline/perform.js";
import { isGood } from "../executor/pipeline/states.js";
import type { PipelineSummary } from "../executor/pipeline/summary.js";
import { type Inventory, matches } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { PlainProgress, silent } from "../report/run.js";
import type { Writers } from "../report/writers.js";
import { inspectionFor, waitingText } from "./inspection.js";
import { playbookStep } from "./playbooksteps.js";
import type { RunVerbOptions } from "./run.js";

/** What the steps of a pipeline are performed with. `say`: what is told while they run. */
export function meansFor(
  inventory: Inventory,
  nodes: Node[],
  options: RunVerbOptions,
  stop: AbortSignal,
  say: (line: string) => void,
): Means {
  const waiting = (node: string) => say(waitingText(node));
  const under = (step: string): Writers => ({ out: say, err: (text) => say(`[${step}] ${text}`) });
  return {
    inventory,
    nodes,
    selected: matches,
    stop,
    adopt: options.adopt === true,
    observer: (step) => (options.quiet || options.json ? silent : new PlainProgress(under(step))),
    inspection: (job) => inspectionFor(job, inventory, options.provision === true, waiting),
    playbooks: (kind, names, meant, step) => playbookStep(kind, names, meant, inventory, under(step).err),
  };
}

/** What a pipeline's failed steps would have ended with by themselves, where that is one thing and nothing else was done; else 3. */
export function exitOfPipeline({ state, steps }: PipelineSummary, signal: number | undefined): number {
  if (state === "complete") return 0;
  if (state === "interrupted") return signal ?? 130;
  const codes = new Set(steps.flatMap(({ exit }) => (exit === undefined ? [] : [exit])));
  const [code] = codes;
  const worked = steps.some((step) => isGood(step.state) && (step.kind === "job" || step.kind === "command"));
  return codes.size === 1 && code !== undefined && (code === 2 || code === 75 || !worked) ? code : 3;
}

import type { Job } from "../../job/job.js";
import { type ChunkOverhead, findCostlyOverhead } from "../rates/chunkoverhead.js";
import type { LearnedRates } from "../rates/rates.js";

/** What a plan says of a node that counts here; see planjob.ts. */
interface TimedNode {
  node: string;
  slots: number;
  rate?: number;
  seconds?: number;
  refused?: string;
  perSlot: { rate?: number; units?: string; seconds?: number }[];
}

interface TimedPlan {
  chunks?: number;
  seconds?: number;
  startupSeconds?: number;
  overhead?: ChunkOverhead;
  nodes: TimedNode[];
}

/**
 * Adds the start-up of nodes, as runs have measured it, to the times of a plan. Nodes without a measurement count as the mean of the
 * others; where no node has one, the plan holds the time of the work alone, without `startupSeconds`.
 */
export function addStartup<P extends TimedPlan>(plan: P, { startup }: LearnedRates): P {
  const working = plan.nodes.filter(({ refused }) => refused === undefined);
  const measured = working.flatMap(({ node }) => startup?.get(node) ?? []);
  if (measured.length === 0 || plan.seconds === undefined) return plan;
  const mean = measured.reduce((sum, one) => sum + one, 0) / measured.length;
  // What a fast node misses while it starts delays the run more than what a slow one does.
  const isRated = working.every(({ rate }) => rate !== undefined && rate > 0);
  const weightOf = ({ rate, slots }: TimedNode) => (isRated ? rate! : slots);
  const weights = working.reduce((sum, node) => sum + weightOf(node), 0);
  const lost = working.reduce((sum, node) => sum + weightOf(node) * (startup?.get(node.node) ?? mean), 0);
  const startupSeconds = Number((lost / weights).toFixed(3));
  const delay = <T extends { seconds?: number }>(part: T): T =>
    part.seconds === undefined ? part : { ...part, seconds: part.seconds + startupSeconds };
  const nodes = plan.nodes.map((node) => ({ ...delay(node), perSlot: node.perSlot.map(delay) }));
  return { ...delay(plan), nodes, startupSeconds };
}

/** Adds the overhead of chunks to a plan, where that is more than a tenth of the work. */
export function addOverhead<P extends TimedPlan>(plan: P, job: Job, { overhead }: LearnedRates): P {
  const slots = plan.nodes.flatMap(({ perSlot }) => perSlot);
  if (overhead === undefined || !plan.chunks || slots.some(({ rate, units }) => !rate || units === undefined))
    return plan;
  const work = slots.reduce((sum, { rate, units }) => sum + Number(units) / rate!, 0);
  const costly = findCostlyOverhead(job.sizing, { overheadSeconds: overhead, workSeconds: work / plan.chunks });
  return costly === undefined ? plan : { ...plan, overhead: costly };
}

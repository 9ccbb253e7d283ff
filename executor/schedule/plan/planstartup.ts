import type { Job } from "../../job/job.js";
import { type ChunkOverhead, findCostlyOverhead } from "../rates/chunkoverhead.js";
import type { LearnedRates } from "../rates/rates.js";

/** What a plan says of a node that counts here; see planjob.ts. */
interface TimedNode {
  node: string;
  slots: number;
  rate?: number;
  units?: string;
  seconds?: number;
  refused?: string;
  perSlot: { seconds?: number }[];
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

/** Adds the overhead of chunks to a plan, as the last run has measured it, where that is more than a tenth of the work. */
export function addOverhead<P extends TimedPlan>(plan: P, job: Job, { chunkOverhead }: LearnedRates): P {
  if (chunkOverhead === undefined || !plan.chunks) return plan;
  const { overheadSeconds, workSeconds, units } = chunkOverhead;
  const planned = plan.nodes.reduce((sum, node) => sum + Number(node.units ?? 0), 0) / plan.chunks;
  const costly = findCostlyOverhead(job.sizing, { overheadSeconds, workSeconds: (workSeconds * planned) / units });
  return costly === undefined ? plan : { ...plan, overhead: costly };
}

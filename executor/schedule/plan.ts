import { cpus } from "node:os";
import type { Node } from "../../fleet/node.js";
import type { Job } from "../job/job.js";
import { Overhead } from "./overhead.js";
import type { Speed } from "./rates.js";
import { chunkSize } from "./size.js";
import { refusal, slotsOf } from "./slots.js";

/** What a node is expected to do of a job, from the inventory alone. */
export interface NodePlan {
  node: string;
  slots: number;
  /** Units of the first chunk of each slot. */
  chunkUnits: string;
  /** Units a second of the whole node; undefined = unknown before the first chunk. */
  rate?: number;
  /** Its share of the job, units. */
  units?: string;
  /** Why it gets no work. */
  refused?: string;
}

export interface Plan {
  job: string;
  units: string;
  nodes: NodePlan[];
  /** Seconds for the whole job; undefined where a rate is not known. */
  seconds?: number;
}

/** What would run where. Nothing is connected to: a node whose slots are only found on it is counted by what the inventory says. */
export function planJob(job: Job, nodes: Node[], selected: (node: Node, patterns: string[]) => boolean): Plan {
  const able = nodes.map((node) => ({
    node,
    slots: refusal(node, job.needs, selected) ?? slotsOf(node, machineOf(node), job.needs),
  }));
  const rates = able.flatMap(({ slots }) => (typeof slots === "string" ? [] : slots.flatMap(({ rate }) => rate ?? [])));
  const slowest = rates.length === 0 ? undefined : Math.min(...rates);
  const plans = able.map(({ node, slots }): NodePlan => {
    if (typeof slots === "string") return { node: node.name, slots: 0, chunkUnits: "0", refused: slots };
    const known = slots.map((slot) => slot.rate);
    const rate =
      job.kind === "range" && known.every((one) => one !== undefined)
        ? known.reduce<number>((sum, one) => sum + one!, 0)
        : undefined;
    const speed: Speed = { rate: known[0], evidence: 0, odd: 0 };
    const outlook = {
      left: Number(job.units),
      slots: slots.length,
      rate: undefined,
      slowest,
      overhead: new Overhead(),
    };
    const size = job.sizing === undefined ? 1n : chunkSize(job.sizing, speed, outlook);
    return { node: node.name, slots: slots.length, chunkUnits: `${size}`, rate };
  });
  return { job: job.name, units: `${job.units}`, ...shares(job, plans) };
}

/** Shares by rate, where every rate is known. */
function shares(job: Job, plans: NodePlan[]): { nodes: NodePlan[]; seconds?: number } {
  const working = plans.filter((plan) => plan.refused === undefined);
  const total = working.reduce((sum, plan) => sum + (plan.rate ?? Number.NaN), 0);
  if (working.length === 0 || Number.isNaN(total)) return { nodes: plans };
  const nodes = plans.map((plan) => ({ ...plan, units: share(job.units, plan.rate, total) }));
  return { nodes, seconds: Number(job.units) / total };
}

function share(units: bigint, rate: number | undefined, total: number): string | undefined {
  return rate === undefined ? undefined : `${(units * BigInt(Math.round((rate / total) * 1e6))) / 1_000_000n}`;
}

function machineOf(node: Node): { cores: number; gpus: number } {
  return { cores: node.connection === "local" ? cpus().length : 1, gpus: 1 };
}

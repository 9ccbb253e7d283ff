import { cpus } from "node:os";
import type { Node } from "../../../fleet/node.js";
import type { Job } from "../../job/job.js";
import type { Slot } from "../events.js";
import { Coverage } from "../queue/coverage.js";
import { expectedRates } from "../rates/expected.js";
import { Overhead } from "../rates/overhead.js";
import type { Learned } from "../rates/rates.js";
import { chunkSize, type Outlook } from "../rates/size.js";
import { slotKey } from "../slots/slot.js";
import { refusal, slotsOf } from "../slots/slots.js";
import { forecast } from "./forecast.js";
import { type SlotRefusal, slotRefusals, type Unplaceable, unplaceable } from "./planrefusals.js";

/** What a slot is expected to do; `seconds`: from the start of the run to the end of its last chunk. Units in decimal. */
export interface SlotPlan {
  slot: number;
  /** Units of a range a second: learned, else of the profile; undefined = unknown before the first chunk. */
  rate?: number;
  chunks?: number;
  units?: string;
  seconds?: number;
}

/** What a node is expected to do of a job, from the inventory and from what earlier runs have learned. */
export interface NodePlan {
  node: string;
  slots: number;
  /** Units of the first chunk of each slot. */
  chunkUnits: string;
  /** Units a second of the whole node. */
  rate?: number;
  chunks?: number;
  /** Its share of the job, units. */
  units?: string;
  seconds?: number;
  perSlot: SlotPlan[];
  /** Why it gets no work. */
  refused?: string;
  /** Its slots that get no work, by the reason. */
  refusals: SlotRefusal[];
}

export interface Plan {
  job: string;
  units: string;
  chunks?: number;
  nodes: NodePlan[];
  unplaceable: Unplaceable[];
  /** Seconds for the whole job; undefined where a rate is not known. */
  seconds?: number;
}

type Selected = (node: Node, patterns: string[]) => boolean;

/** Nothing has been learned. */
const NOTHING: Learned = { slots: new Map() };

/**
 * What would run where, and until when. Nothing is connected to: a node whose slots are only found on it is counted by what
 * the inventory and earlier runs say. `done`: units that need not be done any more.
 */
export function planJob(job: Job, nodes: Node[], selected: Selected, learned = NOTHING, done = new Coverage()): Plan {
  const able = nodes.map((node) => {
    const machine = machineOf(node, learned);
    const found = refusal(node, job.needs, selected) ?? slotsOf(node, machine, job.needs);
    const refused = typeof found === "string" ? found : undefined;
    const slots = typeof found === "string" ? [] : found.map((slot) => rated(slot, job, learned));
    return { node, refused, slots, refusals: slotRefusals(node, machine, job, refused) };
  });
  const slots = able.flatMap((one) => one.slots);
  const expected = expectedRates(job, nodes, learned);
  const shares =
    slots.length === 0 ? undefined : forecast(job, slots, { limits: limitsOf(nodes), expected, learned }, done);
  const rates = slots.flatMap(({ rate }) => rate ?? []);
  const known = {
    slots: slots.length,
    rate: rates.length === slots.length ? rates.reduce((sum, one) => sum + one, 0) : undefined,
    slowest: rates.length === 0 ? undefined : Math.min(...rates),
  };
  const plans = able.map(({ node, refused, refusals, slots: there }): NodePlan => {
    if (refused !== undefined) return { node: node.name, slots: 0, chunkUnits: "0", perSlot: [], refused, refusals };
    const perSlot = there.map((slot): SlotPlan => {
      const share = shares?.get(slotKey(slot.node, slot.slot));
      return {
        slot: slot.slot,
        rate: job.kind === "range" ? slot.rate : undefined,
        ...share,
        units: share === undefined ? undefined : `${share.units}`,
      };
    });
    const first = firstChunk(job, there[0]!, known, learned);
    return { node: node.name, slots: there.length, chunkUnits: `${first}`, ...total(perSlot), perSlot, refusals };
  });
  const working = plans.filter((plan) => plan.refused === undefined);
  const { chunks, seconds } = working.length === 0 ? {} : total(working);
  return { job: job.name, units: `${job.units}`, chunks, nodes: plans, unplaceable: unplaceable(job, slots), seconds };
}

/** A slot with the rate that it is expected to have. */
function rated(slot: Slot, job: Job, learned: Learned): Slot {
  const known = job.kind === "range" ? learned.slots.get(slotKey(slot.node, slot.slot)) : undefined;
  return { ...slot, rate: known?.rate ?? slot.rate };
}

/** All of several slots or nodes together; what is not known of each is not known of all. */
function total(parts: Pick<SlotPlan, "rate" | "chunks" | "units" | "seconds">[]) {
  const sum = (of: (part: (typeof parts)[number]) => number | undefined) =>
    parts.reduce<number | undefined>((all, part) => {
      const one = of(part);
      return all === undefined || one === undefined ? undefined : all + one;
    }, 0);
  const units = parts.every((part) => part.units !== undefined)
    ? `${parts.reduce((all, part) => all + BigInt(part.units!), 0n)}`
    : undefined;
  const ends = parts.flatMap((part) => part.seconds ?? []);
  return {
    rate: sum((part) => part.rate),
    chunks: sum((part) => part.chunks),
    units,
    seconds: ends.length === parts.length ? Math.max(...ends) : undefined,
  };
}

function firstChunk(
  job: Job,
  slot: Slot,
  known: Pick<Outlook, "slots" | "rate" | "slowest">,
  learned: Learned,
): bigint {
  if (job.sizing === undefined) return 1n;
  const overhead = new Overhead();
  if (learned.overhead !== undefined) overhead.start(learned.overhead);
  const evidence = learned.slots.get(slotKey(slot.node, slot.slot))?.evidence ?? 0;
  const outlook = { ...known, left: Number(job.units), overhead };
  return chunkSize(job.sizing, { rate: slot.rate, evidence, odd: 0 }, outlook);
}

function limitsOf(nodes: Node[]): Map<string, number> {
  return new Map(
    nodes.flatMap(({ name, maxConcurrent: limit }) => (limit === undefined ? [] : [[name, limit] as const])),
  );
}

function machineOf(node: Node, learned: Learned): { cores: number; gpus: number } {
  const seen = [...learned.slots.keys()].filter((key) => key.startsWith(`${node.name}/`)).length;
  return { cores: node.connection === "local" ? cpus().length : Math.max(1, seen), gpus: Math.max(1, seen) };
}

import { describeDrain } from "../../../fleet/drains.js";
import type { Node } from "../../../fleet/node.js";
import type { Job } from "../../job/job.js";
import type { Slot } from "../events.js";
import { IntervalSet } from "../queue/intervalset.js";
import type { ChunkOverhead } from "../rates/chunkoverhead.js";
import { chooseChunkSize, type SizingContext } from "../rates/chunksize.js";
import { OverheadEstimate } from "../rates/overhead.js";
import { PredictionError } from "../rates/predictionerror.js";
import type { LearnedRates } from "../rates/rates.js";
import { countSlotsSeen, expectNodes, guessMachine } from "../slots/expectednodes.js";
import { findNodeRefusal, type NodeMatcher, selectSlots } from "../slots/nodeslots.js";
import { rateKey, slotKey } from "../slots/slotstate.js";
import { forecast } from "./forecast.js";
import { findUnplaceable, listSlotRefusals, type SlotRefusal, type UnplaceableTasks } from "./planrefusals.js";
import { addOverhead, addStartup } from "./planstartup.js";

/**
 * What a slot is expected to do. `seconds`: from the start of the run to the end of its last chunk. Units are decimal
 * strings.
 */
export interface SlotPlan {
  slot: number;
  /** Units of a range a second, learned or from the profile; undefined = unknown before the first chunk. */
  rate?: number;
  chunks?: number;
  units?: string;
  seconds?: number;
}

/** What a node is expected to do in a job, from the inventory and from earlier runs. */
export interface NodePlan {
  node: string;
  slots: number;
  /** How many of them share a GPU, at most; undefined = none do. */
  perGpu?: number;
  /** The units of the first chunk of its slots. */
  chunkUnits: string;
  /** Units a second of all its slots. */
  rate?: number;
  chunks?: number;
  /** The units that it computes. */
  units?: string;
  seconds?: number;
  perSlot: SlotPlan[];
  /** Why it gets no work. */
  refused?: string;
  /** Its slots that get no work, grouped by reason. */
  refusals: SlotRefusal[];
}

export interface RunPlan {
  job: string;
  units: string;
  chunks?: number;
  nodes: NodePlan[];
  unplaceable: UnplaceableTasks[];
  /** The seconds of the whole run; undefined if a rate is unknown. */
  seconds?: number;
  /** How much of `seconds` is the start-up of nodes; undefined = no run has measured it, and `seconds` is the work alone. */
  startupSeconds?: number;
  /** What chunks cost beside their work; absent where that is less than a tenth of it, or unknown. */
  overhead?: ChunkOverhead;
  /** Whether `seconds` rests on a rate of the inventory, which may have been written for another program. */
  isGuess?: true;
}

const NOTHING_LEARNED: LearnedRates = { slots: new Map() };

/**
 * Plans a run without connecting to any node. The number of slots of a node that only a connection would tell is taken from
 * the inventory and from earlier runs. `done`: units that need no computing.
 */
export function planJob(
  job: Job,
  nodes: Node[],
  isSelected: NodeMatcher,
  learned = NOTHING_LEARNED,
  done = new IntervalSet(),
): RunPlan {
  const slotsSeen = countSlotsSeen(learned);
  const refusals = new Map(
    nodes.flatMap((node) => {
      const refused =
        findNodeRefusal(node, job.needs, isSelected) ?? (node.drain && `it is ${describeDrain(node.drain)}`);
      return refused === undefined ? [] : [[node, refused] as const];
    }),
  );
  const expected = expectNodes(
    job,
    nodes.filter((node) => !refusals.has(node)),
    learned,
  );
  const able = nodes.map((node) => {
    const machine = guessMachine(node, slotsSeen.get(node.name) ?? 0, job.needs);
    const selection = selectSlots(node, machine, job.needs);
    const refused = refusals.get(node) ?? (selection.ok ? undefined : selection.reason);
    const slots = expected.get(node.name)?.slots ?? [];
    return { node, refused, slots, refusals: listSlotRefusals(node, machine, job, refused) };
  });
  const slots = able.flatMap((one) => one.slots);
  const shares = slots.length === 0 ? undefined : forecast(job, { expected, learned }, done);
  const known = summarizeRates(slots, job.gpuCounts?.fewest ?? 1);
  const plans = able.map(({ node, refused, refusals, slots: there }): NodePlan => {
    if (refused !== undefined) return { node: node.name, slots: 0, chunkUnits: "0", perSlot: [], refused, refusals };
    const first = firstChunkSize(job, there[0]!, known, learned);
    return { node: node.name, chunkUnits: `${first}`, ...planSlots(job, there, shares), refusals };
  });
  const working = plans.filter((plan) => plan.refused === undefined);
  const { chunks, seconds } = working.length === 0 ? {} : sumPlans(working);
  const plan: RunPlan = {
    job: job.name,
    // A queue has the tasks of all its runs; what is left of them is planned.
    units: `${job.queue === undefined ? job.units : job.units - done.size()}`,
    chunks,
    nodes: plans,
    unplaceable: findUnplaceable(job, slots),
    seconds,
    ...(seconds !== undefined && isGuessed(job, slots, learned) ? { isGuess: true } : {}),
  };
  return addStartup(addOverhead(plan, job, learned), learned);
}

/** What is known of the rates of slots; `width`: of them that one chunk takes. */
function summarizeRates(slots: readonly Slot[], width: number) {
  const rates = slots.flatMap(({ rate }) => rate ?? []);
  return {
    slots: slots.length / width,
    rate: rates.length === slots.length ? rates.reduce((sum, one) => sum + one, 0) : undefined,
    slowest: rates.length === 0 ? undefined : width * Math.min(...rates),
  };
}

/** Plans the slots of a node. `shares`: what each slot of the fleet computes, by its key; undefined = that is not known. */
function planSlots(job: Job, slots: readonly Slot[], shares: ReturnType<typeof forecast> | undefined) {
  const perSlot = slots.map((slot): SlotPlan => {
    const share = shares?.get(slotKey(slot.node, slot.slot));
    return {
      slot: slot.slot,
      rate: job.kind === "range" ? slot.rate : undefined,
      ...share,
      units: share === undefined ? undefined : `${share.units}`,
    };
  });
  const most = Math.max(...slots.map(({ sharers = 1 }) => sharers));
  return { slots: slots.length, ...(most === 1 ? {} : { perGpu: most }), ...sumPlans(perSlot), perSlot };
}

/** Whether a slot's rate comes from its profile. The durations of tasks are measured, or said by the job. */
function isGuessed(job: Job, slots: readonly Slot[], learned: LearnedRates): boolean {
  return job.kind === "range" && slots.some((slot) => !learned.slots.has(rateKey(slot)));
}

/** Sums the plans of slots or nodes; a value that is unknown for one of them is unknown in total. */
function sumPlans(parts: Pick<SlotPlan, "rate" | "chunks" | "units" | "seconds">[]) {
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

function firstChunkSize(
  job: Job,
  slot: Slot,
  known: Pick<SizingContext, "slots" | "rate" | "slowest">,
  learned: LearnedRates,
): bigint {
  if (job.sizing === undefined) return 1n;
  const overhead = new OverheadEstimate();
  if (learned.overhead !== undefined) overhead.restore(learned.overhead);
  const evidence = learned.slots.get(rateKey(slot))?.evidence ?? 0;
  const predictionError = new PredictionError();
  if (learned.deviation !== undefined) predictionError.restore(learned.deviation);
  const context = {
    ...known,
    left: Number(job.units),
    inProgress: { units: 0, rate: 0 },
    overhead,
    deviation: predictionError.deviation,
  };
  const rate = slot.rate && slot.rate * (job.gpuCounts?.fewest ?? 1);
  return chooseChunkSize(job.sizing, { rate, evidence, outlierSide: 0 }, context);
}

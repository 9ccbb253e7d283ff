import { formatDuration } from "../../../schemas/numbertext.js";
import type { Chunk } from "../../job/job.js";
import type { Deadlines, SlotRequest } from "./deadlines.js";
import { splitByKind } from "./gpukinds.js";
import { formatSlots, groupByReason } from "./groupbyreason.js";
import { findPinRefusal } from "./nodeslots.js";
import type { Pool } from "./pool.js";
import { isConnected, type SlotState } from "./slotstate.js";

/** The most reasons that are listed. */
const MAX_REASONS = 32;

/** What decides where a chunk may run. */
type PlacedNeeds = Pick<Chunk, "gpu"> & { readonly spec: Pick<Chunk["spec"], "gpus"> };

/** Why a slot cannot run a chunk. `isPermanent`: waiting will not change it. */
interface SlotObjection {
  reason: string;
  isPermanent: boolean;
}

/** Decides by the time. `request`: a chunk that needs a slot; undefined = any. */
export interface DeadlineCheck {
  readonly deadlines: Deadlines;
  readonly now: number;
  readonly request?: SlotRequest;
}

/** A rule; undefined = no objection. */
type FeasibilityRule = (chunk: Pick<Chunk, "gpu">, slot: SlotState, check: DeadlineCheck) => SlotObjection | undefined;

const checkPin: FeasibilityRule = (chunk, slot) => refuse(findPinRefusal(chunk, slot), true);
const checkConnected: FeasibilityRule = (_, { home }, { now }) =>
  refuse(
    isConnected(home) ? undefined : "its node is disconnected",
    (home.deadline ?? Number.POSITIVE_INFINITY) <= now,
  );
const checkBroken: FeasibilityRule = (_, { broken }) => refuse(broken && `it is out of use: ${broken}`, true);
const checkHolder: FeasibilityRule = (_, { holder }) => refuse(holder && `${holder} holds it`, false);
const checkSick: FeasibilityRule = (_, { health: { sick } }) =>
  refuse(sick && `it is sick: ${sick.reason}`, sick?.lasting === true);
const checkQuarantine: FeasibilityRule = (_, { health: { quarantine } }) =>
  refuse(quarantine && `it is quarantined: ${quarantine.reason}`, false);

const checkDrained: FeasibilityRule = (_, { health: { drained } }) =>
  refuse(drained && `its node is ${drained}`, false);

const checkDeadline: FeasibilityRule = (_, slot, { deadlines, now, request }) => {
  if (request === undefined) return refuse(slot.endsTooSoon && "its node ends before another chunk would", true);
  if (deadlines.fits(request, slot, now)) return undefined;
  const seconds = deadlines.expectedSeconds(request, slot);
  const expected = seconds === undefined ? "" : ` (expected ${formatDuration(seconds)})`;
  return refuse(`its node ends before the chunk would${expected}`, true);
};

const RULES = [
  checkPin,
  checkConnected,
  checkBroken,
  checkHolder,
  checkSick,
  checkQuarantine,
  checkDrained,
  checkDeadline,
];

/** The slots that a chunk for several GPUs could have on a node, now or later, are too few, or some of them are away for now. */
function checkGroup({ spec: { gpus } }: PlacedNeeds, slot: SlotState, check: DeadlineCheck): SlotObjection | undefined {
  if (gpus === undefined || gpus < 2) return undefined;
  if (slot.gpu === undefined) return refuse(`the chunk needs ${gpus} GPUs, and this is a CPU slot`, true);
  const alike = splitByKind(slot.home.slots).find((slots) => slots.includes(slot)) ?? [];
  const others = alike.map((one) => RULES.flatMap((rule) => rule({}, one, check) ?? []));
  const possible = others.filter((all) => !all.some(({ isPermanent }) => isPermanent)).length;
  const what = slot.card === undefined ? "" : ` of ${slot.card.kind}`;
  if (possible < gpus)
    return refuse(`the chunk needs ${gpus} GPUs, and the node has ${possible}${what} that can be used`, true);
  const ready = others.filter((all) => all.length === 0).length;
  return refuse(
    ready < gpus ? `the chunk needs ${gpus} GPUs, and ${ready} of the node can be used now` : undefined,
    false,
  );
}

function refuse(reason: string | false | undefined, lasting: boolean): SlotObjection | undefined {
  return reason === undefined || reason === false ? undefined : { reason, isPermanent: lasting };
}

/** Returns why slots cannot run a chunk now: one line for each node and reason, none for slots that could. */
export function explainInfeasible(chunk: PlacedNeeds, pool: Pool, check: DeadlineCheck): string[] {
  if (pool.nodes.size === 0) return ["no node has joined"];
  const refused = listSlots(pool).flatMap((slot) => {
    const refusal = findObjection(chunk, slot, check);
    return refusal === undefined ? [] : [{ node: slot.node, slot: slot.slot, reason: refusal.reason }];
  });
  const lines = groupByReason(refused).map(({ node, slots, reason }) => `${node} ${formatSlots(slots)}: ${reason}`);
  return lines.length <= MAX_REASONS
    ? lines
    : [...lines.slice(0, MAX_REASONS), `and ${lines.length - MAX_REASONS} more reasons`];
}

/** Whether no slot can run a chunk, now or later. */
export function isNeverFeasible(chunk: PlacedNeeds, pool: Pool, check: DeadlineCheck): boolean {
  return listSlots(pool).every((slot) => findObjection(chunk, slot, check)?.isPermanent === true);
}

function findObjection(chunk: PlacedNeeds, slot: SlotState, check: DeadlineCheck): SlotObjection | undefined {
  const all = [...RULES, checkGroup].flatMap((rule) => rule(chunk, slot, check) ?? []);
  return all.find(({ isPermanent }) => isPermanent) ?? all[0];
}

function listSlots(pool: Pool): SlotState[] {
  return [...pool.nodes.values()].flatMap((node) => node.slots);
}

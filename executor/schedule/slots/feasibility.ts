import type { Chunk } from "../../job/job.js";
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

/** A rule; undefined = no objection. */
type FeasibilityRule = (chunk: Pick<Chunk, "gpu">, slot: SlotState) => SlotObjection | undefined;

const checkPin: FeasibilityRule = (chunk, slot) => refuse(findPinRefusal(chunk, slot), true);
const checkConnected: FeasibilityRule = (_, { home }) =>
  refuse(isConnected(home) ? undefined : "its node is disconnected", false);
const checkBroken: FeasibilityRule = (_, { broken }) => refuse(broken && `it is out of use: ${broken}`, true);
const checkHolder: FeasibilityRule = (_, { holder }) => refuse(holder && `${holder} holds it`, false);
const checkSick: FeasibilityRule = (_, { health: { sick } }) =>
  refuse(sick && `it is sick: ${sick.reason}`, sick?.lasting === true);
const checkQuarantine: FeasibilityRule = (_, { health: { quarantine } }) =>
  refuse(quarantine && `it is quarantined: ${quarantine.reason}`, false);

const checkDrained: FeasibilityRule = (_, { health: { drained } }) =>
  refuse(drained && `its node is ${drained}`, false);

const RULES = [checkPin, checkConnected, checkBroken, checkHolder, checkSick, checkQuarantine, checkDrained];

/** The slots that a chunk for several GPUs could have on a node, now or later, are too few, or some of them are away for now. */
function checkGroup({ spec: { gpus } }: PlacedNeeds, slot: SlotState): SlotObjection | undefined {
  if (gpus === undefined || gpus < 2) return undefined;
  if (slot.gpu === undefined) return refuse(`the chunk needs ${gpus} GPUs, and this is a CPU slot`, true);
  const alike = splitByKind(slot.home.slots).find((slots) => slots.includes(slot)) ?? [];
  const others = alike.map((one) => RULES.flatMap((rule) => rule({}, one) ?? []));
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

function refuse(reason: string | undefined, lasting: boolean): SlotObjection | undefined {
  return reason === undefined ? undefined : { reason, isPermanent: lasting };
}

/** Returns why slots cannot run a chunk now: one line for each node and reason, none for slots that could. */
export function explainInfeasible(chunk: PlacedNeeds, pool: Pool): string[] {
  if (pool.nodes.size === 0) return ["no node has joined"];
  const refused = listSlots(pool).flatMap((slot) => {
    const refusal = findObjection(chunk, slot);
    return refusal === undefined ? [] : [{ node: slot.node, slot: slot.slot, reason: refusal.reason }];
  });
  const lines = groupByReason(refused).map(({ node, slots, reason }) => `${node} ${formatSlots(slots)}: ${reason}`);
  return lines.length <= MAX_REASONS
    ? lines
    : [...lines.slice(0, MAX_REASONS), `and ${lines.length - MAX_REASONS} more reasons`];
}

/** Whether no slot can run a chunk, now or later. */
export function isNeverFeasible(chunk: PlacedNeeds, pool: Pool): boolean {
  return listSlots(pool).every((slot) => findObjection(chunk, slot)?.isPermanent === true);
}

function findObjection(chunk: PlacedNeeds, slot: SlotState): SlotObjection | undefined {
  const all = [...RULES, checkGroup].flatMap((rule) => rule(chunk, slot) ?? []);
  return all.find(({ isPermanent }) => isPermanent) ?? all[0];
}

function listSlots(pool: Pool): SlotState[] {
  return [...pool.nodes.values()].flatMap((node) => node.slots);
}

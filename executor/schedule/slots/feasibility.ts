import type { Chunk } from "../../job/job.js";
import { formatSlots, groupByReason } from "./groupbyreason.js";
import { findPinRefusal } from "./nodeslots.js";
import type { Pool } from "./pool.js";
import type { SlotState } from "./slotstate.js";

/** Lines that are told. */
const MAX_REASONS = 32;

type PinnedChunk = Pick<Chunk, "gpu">;

/** Why a slot cannot have a chunk. `lasting`: nobody should wait for that to change. */
interface SlotObjection {
  reason: string;
  isPermanent: boolean;
}

/** One small rule each; undefined = it has nothing against that. */
type FeasibilityRule = (chunk: PinnedChunk, slot: SlotState) => SlotObjection | undefined;

const checkPin: FeasibilityRule = (chunk, slot) => refuse(findPinRefusal(chunk, slot), true);
const checkConnected: FeasibilityRule = (_, { home }) =>
  refuse(home.isConnected ? undefined : "its node does not answer", false);
const checkBroken: FeasibilityRule = (_, { broken }) => refuse(broken && `it is out of use: ${broken}`, true);
const checkHolder: FeasibilityRule = (_, { holder }) => refuse(holder && `${holder} holds it`, false);
const checkSick: FeasibilityRule = (_, { health: { sick } }) =>
  refuse(sick && `it is sick: ${sick.reason}`, sick?.lasting === true);
const checkQuarantine: FeasibilityRule = (_, { health: { quarantine } }) =>
  refuse(quarantine && `it was taken out: ${quarantine.reason}`, false);

const RULES = [checkPin, checkConnected, checkBroken, checkHolder, checkSick, checkQuarantine];

function refuse(reason: string | undefined, lasting: boolean): SlotObjection | undefined {
  return reason === undefined ? undefined : { reason, isPermanent: lasting };
}

/** Why none of the slots can have a chunk now, by node, slots of one reason together; a line each, and none for slots that could. */
export function explainInfeasible(chunk: PinnedChunk, pool: Pool): string[] {
  if (pool.nodes.size === 0) return ["no node has joined"];
  const refused = listSlots(pool).flatMap((slot) => {
    const refusal = findObjection(chunk, slot);
    return refusal === undefined ? [] : [{ node: slot.node, slot: slot.slot, reason: refusal.reason }];
  });
  const lines = groupByReason(refused).map(({ node, slots, reason }) => `${node} ${formatSlots(slots)}: ${reason}`);
  return lines.length <= MAX_REASONS
    ? lines
    : [...lines.slice(0, MAX_REASONS), `and ${lines.length - MAX_REASONS} reasons more`];
}

/** Whether no slot can have a chunk, and nothing is to be expected of waiting. */
export function isNeverFeasible(chunk: PinnedChunk, pool: Pool): boolean {
  return listSlots(pool).every((slot) => findObjection(chunk, slot)?.isPermanent === true);
}

function findObjection(chunk: PinnedChunk, slot: SlotState): SlotObjection | undefined {
  const all = RULES.flatMap((rule) => rule(chunk, slot) ?? []);
  return all.find(({ isPermanent: lasting }) => lasting) ?? all[0];
}

function listSlots(pool: Pool): SlotState[] {
  return [...pool.nodes.values()].flatMap((node) => node.slots);
}

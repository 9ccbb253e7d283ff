import type { Chunk } from "../../job/job.js";
import { folded, slotsText } from "./fold.js";
import type { Pool } from "./pool.js";
import type { SlotState } from "./slot.js";
import { pinRefusal } from "./slots.js";

/** Lines that are told. */
const TOLD = 32;

type Pinned = Pick<Chunk, "gpu">;

/** Why a slot cannot have a chunk. `lasting`: nobody should wait for that to change. */
interface Refusal {
  reason: string;
  lasting: boolean;
}

/** One small rule each; undefined = it has nothing against that. */
type Rule = (chunk: Pinned, slot: SlotState) => Refusal | undefined;

const pinned: Rule = (chunk, slot) => refuse(pinRefusal(chunk, slot), true);
const live: Rule = (_, { home }) => refuse(home.live ? undefined : "its node does not answer", false);
const sound: Rule = (_, { broken }) => refuse(broken && `it is out of use: ${broken}`, true);
const free: Rule = (_, { holder }) => refuse(holder && `${holder} holds it`, false);
const well: Rule = (_, { health: { sick } }) => refuse(sick && `it is sick: ${sick.reason}`, sick?.lasting === true);
const trusted: Rule = (_, { health: { quarantine } }) =>
  refuse(quarantine && `it was taken out: ${quarantine.reason}`, false);

const RULES = [pinned, live, sound, free, well, trusted];

function refuse(reason: string | undefined, lasting: boolean): Refusal | undefined {
  return reason === undefined ? undefined : { reason, lasting };
}

/** Why none of the slots can have a chunk now, by node, slots of one reason together; a line each, and none for slots that could. */
export function refusals(chunk: Pinned, pool: Pool): string[] {
  if (pool.nodes.size === 0) return ["no node has joined"];
  const refused = slotsIn(pool).flatMap((slot) => {
    const refusal = refusalOf(chunk, slot);
    return refusal === undefined ? [] : [{ node: slot.node, slot: slot.slot, reason: refusal.reason }];
  });
  const lines = folded(refused).map(({ node, slots, reason }) => `${node} ${slotsText(slots)}: ${reason}`);
  return lines.length <= TOLD ? lines : [...lines.slice(0, TOLD), `and ${lines.length - TOLD} reasons more`];
}

/** Whether no slot can have a chunk, and nothing is to be expected of waiting. */
export function isHopeless(chunk: Pinned, pool: Pool): boolean {
  return slotsIn(pool).every((slot) => refusalOf(chunk, slot)?.lasting === true);
}

function refusalOf(chunk: Pinned, slot: SlotState): Refusal | undefined {
  const all = RULES.flatMap((rule) => rule(chunk, slot) ?? []);
  return all.find(({ lasting }) => lasting) ?? all[0];
}

function slotsIn(pool: Pool): SlotState[] {
  return [...pool.nodes.values()].flatMap((node) => node.slots);
}

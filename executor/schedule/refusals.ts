import type { Chunk } from "../job/job.js";
import type { Pool } from "./pool.js";
import type { SlotState } from "./slot.js";

/** Slots that are named one by one. */
const NAMED = 32;

/** Why a slot cannot have a chunk now, or undefined: one small rule each. */
type Rule = (chunk: Pick<Chunk, "gpu">, slot: SlotState) => string | undefined;

const live: Rule = (_, { home }) => (home.live ? undefined : "its node does not answer");
const free: Rule = (_, { usable }) => (usable ? undefined : "another run holds it, or it is broken");
const well: Rule = (_, { health }) => (health.sick === undefined ? undefined : `it is sick: ${health.sick.reason}`);
const trusted: Rule = (_, { health }) =>
  health.quarantine === undefined ? undefined : `it was taken out: ${health.quarantine.reason}`;
const pinned: Rule = ({ gpu }, slot) =>
  gpu === undefined || slot.gpu === undefined || slot.gpu === gpu
    ? undefined
    : `it is GPU ${slot.gpu}, and the chunk is pinned to gpu ${gpu}`;

const RULES = [pinned, live, free, well, trusted];

/** Slot by slot, why none of them can have a chunk now; a line each, and none for slots that could. */
export function refusals(chunk: Pick<Chunk, "gpu">, pool: Pool): string[] {
  const lines = [...pool.nodes.values()]
    .flatMap((node) => node.slots)
    .flatMap((slot) => {
      const reason = RULES.map((rule) => rule(chunk, slot)).find((one) => one !== undefined);
      return reason === undefined ? [] : [`${slot.node} slot ${slot.slot}: ${reason}`];
    });
  if (lines.length === 0 && pool.nodes.size === 0) return ["no node has joined"];
  return lines.length <= NAMED ? lines : [...lines.slice(0, NAMED), `and ${lines.length - NAMED} slots more`];
}

import { cpus } from "node:os";
import type { Node } from "../../../fleet/node.js";
import type { Job, JobRequirements } from "../../job/job.js";
import type { Slot } from "../events.js";
import type { LearnedRates } from "../rates/rates.js";
import { findConcurrencyLimit } from "./capacity.js";
import { type MachineFacts, selectSlots } from "./nodeslots.js";
import { rateKey } from "./slotstate.js";

/** What a node is expected to have when it joins. `limit`: the most chunks that run there at once; undefined = one on each slot. */
export interface ExpectedNode {
  readonly slots: readonly Slot[];
  readonly limit?: number;
}

/**
 * Returns what nodes are expected to have before they have joined: the slots of the inventory, else those of earlier runs, else one,
 * with the rates that earlier runs have learned, else those of their profiles.
 */
export function expectNodes(job: Job, nodes: readonly Node[], learned: LearnedRates): Map<string, ExpectedNode> {
  const slotsSeen = countSlotsSeen(learned);
  const expected = nodes.flatMap((node): [string, ExpectedNode][] => {
    const machine = guessMachine(node, slotsSeen.get(node.name) ?? 0, job.needs);
    const selection = selectSlots(node, machine, job.needs);
    return selection.ok ? [[node.name, expectSlots(job, node, machine, selection.slots, learned)]] : [];
  });
  return new Map(expected);
}

function expectSlots(
  job: Job,
  node: Node,
  machine: MachineFacts,
  slots: readonly Slot[],
  learned: LearnedRates,
): ExpectedNode {
  const cores = machine.isGuess ? undefined : machine.cores;
  return {
    slots: slots.map((slot) => withLearnedRate(slot, job, learned)),
    limit: findConcurrencyLimit(node, slots.length, job.needs, cores),
  };
}

/** Returns a slot with its learned rate, if there is one. Rates learned from tasks do not count units. */
function withLearnedRate(slot: Slot, job: Job, learned: LearnedRates): Slot {
  const known = job.kind === "range" ? learned.slots.get(rateKey(slot)) : undefined;
  return { ...slot, rate: known?.rate ?? slot.rate };
}

/**
 * Returns the facts of a node that is not asked: those of this machine are known. `seen`: its GPUs or CPU slots in earlier runs. It may have
 * what a chunk needs.
 */
export function guessMachine(node: Node, seen: number, needs: Pick<JobRequirements, "gpus">): MachineFacts {
  const gpus = Math.max(1, seen, needs.gpus ?? 0);
  return node.connection === "local" ? { cores: cpus().length, gpus } : { cores: gpus, isGuess: true, gpus };
}

/** Returns how many GPUs or CPU slots of each node earlier runs have used at once. A GPU that slots shared counts once. */
export function countSlotsSeen({ slots }: LearnedRates): Map<string, number> {
  const shapes = new Map<string, { node: string; sharers: number; slots: number }>();
  for (const key of slots.keys()) {
    const [, node = key, sharers = "1"] = /^(.*)\/\d+(?::(\d+))?$/s.exec(key) ?? [];
    const shape = shapes.get(`${sharers} ${node}`) ?? { node, sharers: Number(sharers), slots: 0 };
    shapes.set(`${sharers} ${node}`, { ...shape, slots: shape.slots + 1 });
  }
  const seen = new Map<string, number>();
  for (const { node, sharers, slots: count } of shapes.values())
    seen.set(node, Math.max(seen.get(node) ?? 0, Math.ceil(count / sharers)));
  return seen;
}

/** Returns the rate of the slowest slot of all nodes; undefined = no rate is known. */
export function findSlowestRate(nodes: ReadonlyMap<string, ExpectedNode>): number | undefined {
  const slowest = [...nodes.values()]
    .flatMap(({ slots }) => slots)
    .reduce((least, { rate }) => Math.min(least, rate ?? Infinity), Infinity);
  return slowest === Infinity ? undefined : slowest;
}

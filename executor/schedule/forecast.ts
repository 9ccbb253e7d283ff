import type { Job } from "../job/job.js";
import { Coverage } from "./coverage.js";
import type { Attempt, Instruction, Slot } from "./events.js";
import { Heap } from "./heap.js";
import type { Learned } from "./rates.js";
import { Scheduler } from "./scheduler.js";
import { slotKey } from "./slot.js";

/** Chunks that are played through; what is left then is reckoned to go on as it went so far. */
const MOST = 3000;

/** What a slot, or all of them, are expected to do. `seconds`: from the start to the end of its last chunk. */
export interface Share {
  chunks: number;
  units: bigint;
  seconds: number;
}

interface End {
  at: number;
  attempt: Attempt;
}

/**
 * How a run of a job would go if every slot ran at its rate (`slots` must all have one): the scheduler itself, on a clock of its
 * own. `limits`: chunks at once, by node. `done`: units that need not be done any more. Answers by slot.
 */
export function forecast(
  job: Job,
  slots: (Slot & { rate: number })[],
  limits: Map<string, number>,
  learned: Learned,
  done = new Coverage(),
): Map<string, Share> {
  const scheduler = new Scheduler(job, done, 1, new Map(), learned);
  const rates = new Map(slots.map((slot) => [slotKey(slot.node, slot.slot), slot.rate]));
  const free = new Map<string, number>();
  const shares = new Map<string, Share>([...rates.keys()].map((key) => [key, { chunks: 0, units: 0n, seconds: 0 }]));
  const ends = new Heap<End>((a, b) => a.at < b.at);
  let now = 0;
  const hear = (instructions: Instruction[]) => {
    for (const one of instructions) {
      if (one.do !== "start") continue;
      const { node, slot, chunk } = one.attempt;
      const key = slotKey(node, slot);
      const seconds = (learned.overhead ?? 0) + Number(chunk.end - chunk.start) / rates.get(key)!;
      const at = Math.max(now, free.get(key) ?? 0) + seconds;
      free.set(key, at);
      ends.put({ at, attempt: one.attempt });
    }
  };
  hear(scheduler.handle({ type: "open" }, now));
  for (const [node, there] of byNode(slots))
    hear(
      scheduler.handle({ type: "joined", node, slots: there, limit: limits.get(node) ?? there.length, held: [] }, now),
    );
  hear(scheduler.handle({ type: "settled" }, now));
  const began = new Map<string, number>();
  let count = 0;
  for (let end = ends.peek(); end !== undefined && count < MOST; end = ends.peek(), count++) {
    ends.delete(end);
    const { id, node, slot, chunk } = end.attempt;
    if (scheduler.attempt(id) === undefined) continue;
    now = end.at;
    const key = slotKey(node, slot);
    const share = shares.get(key)!;
    share.chunks++;
    share.units += chunk.end - chunk.start;
    const seconds = now - (began.get(key) ?? 0);
    began.set(key, now);
    share.seconds = now;
    hear(scheduler.handle({ type: "ran", attempt: id, seconds }, now));
    hear(scheduler.handle({ type: "committed", attempt: id }, now));
  }
  return extrapolate(shares, job.units - done.size());
}

/** All of the work, where only a part of it was played through. */
function extrapolate(shares: Map<string, Share>, units: bigint): Map<string, Share> {
  const played = [...shares.values()].reduce((sum, share) => sum + share.units, 0n);
  if (played >= units || played === 0n) return shares;
  const factor = Number(units) / Number(played);
  const scaled = (share: Share): Share => ({
    chunks: Math.round(share.chunks * factor),
    units: (share.units * units) / played,
    seconds: share.seconds * factor,
  });
  return new Map([...shares].map(([key, share]) => [key, scaled(share)]));
}

function byNode<S extends Slot>(slots: S[]): Map<string, S[]> {
  const nodes = new Map<string, S[]>();
  for (const slot of slots) nodes.set(slot.node, [...(nodes.get(slot.node) ?? []), slot]);
  return nodes;
}

import type { Sizing } from "../../executor/job/job.js";
import type { Attempt, Event, Slot } from "../../executor/schedule/events.js";
import { Heap, type Ranked } from "../../executor/schedule/heap.js";
import { Scheduler } from "../../executor/schedule/scheduler.js";
import { jobOf } from "./job.js";
import { Random } from "./random.js";

/** Units of every chunk. */
const SIZE = 1000;

export interface Load {
  slots: number;
  chunks: number;
  events: number;
  /** Seconds of processor time for all of them, what plays the slots included: others at work here do not count. */
  seconds: number;
  /** Resident memory at the end, bytes. */
  resident: number;
}

interface End extends Ranked {
  at: number;
  attempt: Attempt;
}

/** Drives a scheduler as fast as it goes: `nodes` of 8 GPUs whose rates vary, `chunks` chunks, and the time it takes. */
export function load(nodes: number, chunks: number, seed: number): Load {
  const chance = new Random(seed);
  const sizing: Sizing = { by: "rate", base: SIZE, min: SIZE, max: SIZE };
  const scheduler = new Scheduler(jobOf(BigInt(chunks) * BigInt(SIZE), sizing), [], 1);
  const ends = new Heap<End>((a, b) => a.at < b.at);
  const began = process.cpuUsage();
  let events = 0;
  let [now, ended] = [0, false];
  const tell = (event: Event) => {
    const out = scheduler.handle(event, now);
    events++;
    for (const one of out) {
      if (one.do === "start") ends.put({ at: now + 1 + chance.next(), attempt: one.attempt });
      if (one.do === "end") ended = true;
    }
  };
  tell({ type: "open" });
  for (let node = 0; node < nodes; node++)
    tell({ type: "joined", node: `n${node}`, slots: gpus(`n${node}`), limit: 8, held: [] });
  tell({ type: "settled" });
  for (let end = ends.peek(); end !== undefined && !ended; end = ends.peek()) {
    ends.delete(end);
    now = Math.max(now, end.at);
    tell({ type: "ran", attempt: end.attempt.id, seconds: 1 + chance.next() });
    tell({ type: "committed", attempt: end.attempt.id });
  }
  if (!ended) throw new Error("the run did not end");
  const { user, system } = process.cpuUsage(began);
  return { slots: nodes * 8, chunks, events, seconds: (user + system) / 1e6, resident: process.memoryUsage().rss };
}

function gpus(node: string): Slot[] {
  return Array.from({ length: 8 }, (_, slot) => ({ node, slot, gpu: slot }));
}

import type { Sizing } from "../../executor/job/job.js";
import { sequentialIds } from "../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Event, Slot } from "../../executor/schedule/events.js";
import { Scheduler } from "../../executor/schedule/scheduler.js";
import { createBenchJob } from "./benchjob.js";
import { SeededRandom } from "./prng.js";

/** The units of every chunk. */
const CHUNK_UNITS = 1000;

export interface Throughput {
  slots: number;
  chunks: number;
  events: number;
  /**
   * Seconds of CPU time for all events after all nodes have joined, the simulation of the slots included. Other load on the
   * machine does not count.
   */
  seconds: number;
  /** Resident memory at the end, in bytes. */
  resident: number;
}

/** The longest duration of a chunk. */
const MAX_CHUNK_SECONDS = 2;

/** A timer wheel of attempts by the time at which they end: the cost of one does not depend on how many there are. */
class TimerWheel {
  private readonly ring: Attempt[][];
  private moment = 0;
  private count = 0;

  /** `ticksPerSecond`: the resolution. */
  constructor(private readonly ticksPerSecond: number) {
    this.ring = Array.from({ length: (MAX_CHUNK_SECONDS + 1) * ticksPerSecond }, () => []);
  }

  get now(): number {
    return this.moment / this.ticksPerSecond;
  }

  put(attempt: Attempt, at: number): void {
    this.ring[Math.ceil(at * this.ticksPerSecond) % this.ring.length]!.push(attempt);
    this.count++;
  }

  /** Returns the next attempt that ends, and advances `now` to its end. */
  take(): Attempt | undefined {
    if (this.count === 0) return undefined;
    while (this.ring[this.moment % this.ring.length]!.length === 0) this.moment++;
    this.count--;
    return this.ring[this.moment % this.ring.length]!.pop();
  }
}

/**
 * Drives a scheduler at full speed: `nodes` nodes of 8 GPUs with varying durations and `chunks` chunks. Returns the time it
 * takes. Throws if the run does not end.
 */
export function measureThroughput(nodes: number, chunks: number, seed: number): Throughput {
  const chance = new SeededRandom(seed);
  const sizing: Sizing = { by: "rate", base: CHUNK_UNITS, min: CHUNK_UNITS, max: CHUNK_UNITS };
  const scheduler = new Scheduler(createBenchJob(BigInt(chunks) * BigInt(CHUNK_UNITS), sizing), sequentialIds());
  const ends = new TimerWheel(nodes * 8);
  let events = 0;
  let ended = false;
  const handle = (event: Event) => {
    const out = scheduler.handle(event, ends.now);
    events++;
    for (const one of out) {
      if (one.do === "start") ends.put(one.attempt, ends.now + (MAX_CHUNK_SECONDS * (1 + chance.next())) / 2);
      if (one.do === "end") ended = true;
    }
  };
  handle({ type: "dispatchOpened" });
  for (let node = 0; node < nodes; node++)
    handle({ type: "nodeJoined", node: `n${node}`, slots: gpus(`n${node}`), limit: 8, held: [] });
  handle({ type: "allJoined" });
  const began = process.cpuUsage();
  events = 0;
  for (let attempt = ends.take(); attempt !== undefined && !ended; attempt = ends.take()) {
    handle({ type: "finished", attempt: attempt.id, seconds: 1 + chance.next() });
    handle({ type: "committed", attempt: attempt.id });
  }
  if (!ended) throw new Error("the run did not end");
  const { user, system } = process.cpuUsage(began);
  return { slots: nodes * 8, chunks, events, seconds: (user + system) / 1e6, resident: process.memoryUsage().rss };
}

function gpus(node: string): Slot[] {
  return Array.from({ length: 8 }, (_, slot) => ({ node, slot, gpu: slot }));
}

import type { Job } from "../../job/job.js";
import { sequentialIds } from "../attempts/attemptids.js";
import type { Attempt, Event, Slot } from "../events.js";
import { Coverage } from "../queue/coverage.js";
import type { Learned } from "../rates/rates.js";
import { Scheduler } from "../scheduler.js";
import { Heap, type Ranked } from "../slots/heap.js";
import { slotKey } from "../slots/slot.js";

/** Chunks that are played through; what is left then is reckoned to go on as it went so far. */
const MOST = 3000;

/** What a slot, or all of them, are expected to do. `seconds`: from the start to the end of its last chunk. */
export interface Share {
  chunks: number;
  units: bigint;
  seconds: number;
}

interface End extends Ranked {
  at: number;
  attempt: Attempt;
}

/** What is known of slots before they have joined, by node: chunks at once, and the rate of the slowest. */
export interface Foreknown {
  limits: Map<string, number>;
  expected: Map<string, number>;
  learned: Learned;
}

/**
 * How a run of a job would go if every slot ran at the rate, and every chunk had the length, that is expected: the scheduler itself,
 * on a clock of its own. `done`: units that need not be done any more. Answers by slot; undefined where one of these is not known.
 */
export function forecast(
  job: Job,
  slots: Slot[],
  known: Foreknown,
  done = new Coverage(),
): Map<string, Share> | undefined {
  const play = new Play(job, slots, known, done);
  play.run();
  return play.isUnknown ? undefined : extrapolate(play.shares, job.units - done.size());
}

/** A run on a clock of its own. */
class Play {
  readonly shares: Map<string, Share>;
  /** Nobody knows how long some chunk would take. */
  isUnknown = false;
  private readonly scheduler: Scheduler;
  private readonly rates = new Map<string, number | undefined>();
  private readonly ends = new Heap<End>((a, b) => a.at < b.at);
  /** When a slot is through with all that it was given. */
  private readonly free = new Map<string, number>();

  constructor(
    job: Job,
    private readonly slots: Slot[],
    private readonly known: Foreknown,
    done: Coverage,
  ) {
    this.scheduler = new Scheduler(job, done, sequentialIds(), known.expected, known.learned);
    this.shares = new Map(slots.map((slot) => [slotKey(slot.node, slot.slot), { chunks: 0, units: 0n, seconds: 0 }]));
  }

  run(): void {
    this.tell({ type: "open" }, 0);
    for (const [node, slots] of byNode(this.slots)) {
      const limit = this.known.limits.get(node) ?? slots.length;
      this.tell({ type: "joined", node, slots, limit, held: [] }, 0);
    }
    this.tell({ type: "settled" }, 0);
    for (let count = 0; count < MOST && !this.isUnknown; count++) {
      const end = this.ends.peek();
      if (end === undefined) return;
      this.ends.delete(end);
      if (this.scheduler.attempt(end.attempt.id) !== undefined) this.end(end);
    }
  }

  private end({ at, attempt: { id, node, slot, chunk } }: End): void {
    const share = this.shares.get(slotKey(node, slot))!;
    const seconds = at - share.seconds;
    share.chunks++;
    share.units += chunk.end - chunk.start;
    share.seconds = at;
    this.tell({ type: "ran", attempt: id, seconds }, at);
    this.tell({ type: "committed", attempt: id }, at);
  }

  private tell(event: Event, now: number): void {
    for (const one of this.scheduler.handle(event, now)) if (one.do === "start") this.start(one.attempt, now);
  }

  private start(attempt: Attempt, now: number): void {
    const key = slotKey(attempt.node, attempt.slot);
    const seconds = this.secondsOf(attempt, key);
    this.isUnknown ||= seconds === undefined;
    const at = Math.max(now, this.free.get(key) ?? 0) + (seconds ?? 0);
    this.free.set(key, at);
    this.ends.put({ at, attempt });
  }

  /** At the rate that the slot had at first: what is learned from a play is no news. */
  private secondsOf({ chunk, node, slot }: Attempt, key: string): number | undefined {
    if (!this.rates.has(key)) this.rates.set(key, this.scheduler.rateOf(node, slot));
    const [rate, length] = [this.rates.get(key), this.scheduler.lengthOf(chunk)];
    if (rate === undefined || length === undefined) return undefined;
    return (this.known.learned.overhead ?? 0) + length / rate;
  }
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

function byNode(slots: Slot[]): Map<string, Slot[]> {
  const nodes = new Map<string, Slot[]>();
  for (const slot of slots) nodes.set(slot.node, [...(nodes.get(slot.node) ?? []), slot]);
  return nodes;
}

import type { Job } from "../../job/job.js";
import { sequentialIds } from "../attempts/attemptids.js";
import type { Attempt, Event, Slot } from "../events.js";
import { IntervalSet } from "../queue/intervalset.js";
import type { LearnedRates } from "../rates/rates.js";
import { Scheduler } from "../scheduler.js";
import { Heap, type HeapItem } from "../slots/heap.js";
import { slotKey } from "../slots/slotstate.js";

/** The most chunks that are simulated; the rest is extrapolated. */
const MAX_SIMULATED_CHUNKS = 3000;

/** What a slot is expected to do. `seconds`: from the start of the run to the end of the slot's last chunk. */
export interface SlotForecast {
  chunks: number;
  units: bigint;
  seconds: number;
}

interface ForecastEnd extends HeapItem {
  at: number;
  attempt: Attempt;
}

/** What is known before nodes have joined: concurrent chunks and the slowest rate by node, and earlier runs. */
export interface ForecastInputs {
  limits: Map<string, number>;
  expected: Map<string, number>;
  learned: LearnedRates;
}

/**
 * Simulates a run in which every slot has its expected rate and every chunk its expected cost, with the real scheduler on a
 * virtual clock. `done`: units that need no computing. Returns the forecast by slot key; undefined if a rate or a cost is
 * unknown.
 */
export function forecast(
  job: Job,
  slots: Slot[],
  known: ForecastInputs,
  done = new IntervalSet(),
): Map<string, SlotForecast> | undefined {
  const play = new ForecastRun(job, slots, known, done);
  play.run();
  return play.isUnknown ? undefined : extrapolate(play.shares, job.units - done.size());
}

/** A run on a virtual clock. */
class ForecastRun {
  readonly shares: Map<string, SlotForecast>;
  /** Whether the duration of some chunk is unknown. */
  isUnknown = false;
  private readonly scheduler: Scheduler;
  private readonly rates = new Map<string, number | undefined>();
  private readonly ends = new Heap<ForecastEnd>((a, b) => a.at < b.at);
  /** When each slot will have finished all that it was given. */
  private readonly free = new Map<string, number>();

  constructor(
    job: Job,
    private readonly slots: Slot[],
    private readonly known: ForecastInputs,
    done: IntervalSet,
  ) {
    this.scheduler = new Scheduler(job, done, sequentialIds(), known.expected, known.learned);
    this.shares = new Map(slots.map((slot) => [slotKey(slot.node, slot.slot), { chunks: 0, units: 0n, seconds: 0 }]));
  }

  run(): void {
    this.tell({ type: "dispatchOpened" }, 0);
    for (const [node, slots] of groupByNode(this.slots)) {
      const limit = this.known.limits.get(node) ?? slots.length;
      this.tell({ type: "nodeJoined", node, slots, limit, held: [] }, 0);
    }
    this.tell({ type: "allJoined" }, 0);
    for (let count = 0; count < MAX_SIMULATED_CHUNKS && !this.isUnknown; count++) {
      const end = this.ends.peek();
      if (end === undefined) return;
      this.ends.delete(end);
      if (this.scheduler.attempt(end.attempt.id) !== undefined) this.end(end);
    }
  }

  private end({ at, attempt: { id, node, slot, chunk } }: ForecastEnd): void {
    const share = this.shares.get(slotKey(node, slot))!;
    const seconds = at - share.seconds;
    share.chunks++;
    share.units += chunk.end - chunk.start;
    share.seconds = at;
    this.tell({ type: "finished", attempt: id, seconds }, at);
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

  /** Uses the slot's initial rate: what the scheduler learns from simulated durations is no information. */
  private secondsOf({ chunk, node, slot }: Attempt, key: string): number | undefined {
    if (!this.rates.has(key)) this.rates.set(key, this.scheduler.rateOf(node, slot));
    const [rate, length] = [this.rates.get(key), this.scheduler.costOf(chunk)];
    if (rate === undefined || length === undefined) return undefined;
    return (this.known.learned.overhead ?? 0) + length / rate;
  }
}

/** Scales the simulated part to all of the work. */
function extrapolate(shares: Map<string, SlotForecast>, units: bigint): Map<string, SlotForecast> {
  const played = [...shares.values()].reduce((sum, share) => sum + share.units, 0n);
  if (played >= units || played === 0n) return shares;
  const factor = Number(units) / Number(played);
  const scaled = (share: SlotForecast): SlotForecast => ({
    chunks: Math.round(share.chunks * factor),
    units: (share.units * units) / played,
    seconds: share.seconds * factor,
  });
  return new Map([...shares].map(([key, share]) => [key, scaled(share)]));
}

function groupByNode(slots: Slot[]): Map<string, Slot[]> {
  const nodes = new Map<string, Slot[]>();
  for (const slot of slots) nodes.set(slot.node, [...(nodes.get(slot.node) ?? []), slot]);
  return nodes;
}

import type { Job } from "../job/job.js";
import { queueDepth } from "./depth.js";
import { Ending } from "./ending.js";
import type { Attempt, Event, Failure, Held, Instruction, Slot } from "./events.js";
import { Placement } from "./placement.js";
import { Pool } from "./pool.js";
import { type Learned, Rates } from "./rates.js";
import { backoff } from "./retry.js";
import { chunkSize } from "./size.js";
import { type SlotState, slotKey } from "./slot.js";
import { Source } from "./source.js";
import { Attempts } from "./underway.js";
import { Waiting } from "./waiting.js";

/**
 * Decides which chunk runs where and when, and what becomes of one that failed. No clock, no I/O: `handle` takes an event
 * and the time (seconds, any origin) and answers with instructions. Every unit of the job ends committed or given up, once.
 */
export class Scheduler {
  readonly rates = new Rates();
  private readonly pool = new Pool(this.rates);
  private readonly source: Source;
  private readonly waiting = new Waiting();
  private readonly attempts = new Attempts(this.pool);
  private readonly placement: Placement;
  private readonly ending: Ending;
  private open = false;
  private settled = false;
  private count = 0;
  /** Units of the chunk that was cut last. */
  private lastSize = 1;

  /**
   * `done`: the units that earlier sessions committed. `session` makes attempt ids unique among them. `expected`: first-guess
   * rates of the nodes that may join, so that the first to come is not taken for the slowest. `learned`: by earlier runs.
   */
  constructor(
    private readonly job: Job,
    done: Iterable<[start: bigint, end: bigint]>,
    private readonly session: number,
    private readonly expected: Map<string, number> = new Map(),
    learned?: Learned,
  ) {
    if (learned !== undefined) this.rates.recall(learned);
    this.source = new Source(job.first, job.first + job.units);
    for (const [start, end] of done) this.source.remove(start, end);
    this.placement = new Placement(job, this.pool, this.source, this.waiting, (slot) => this.sizeFor(slot));
    this.ending = new Ending(this.pool, this.source, this.waiting);
  }

  handle(event: Event, now: number): Instruction[] {
    const out = this.react(event, now);
    if (this.open) this.assign(now, out);
    return out;
  }

  /** The attempt called `id`, while it is this coordinator's concern. */
  attempt(id: string): Attempt | undefined {
    return this.attempts.get(id)?.attempt;
  }

  /** True while `id` runs or waits on its node, so that its end would be news. */
  isRunning(id: string): boolean {
    return this.attempts.get(id)?.phase === "running";
  }

  /** Units that nobody has been given yet. */
  get left(): bigint {
    return this.source.left;
  }

  private react(event: Event, now: number): Instruction[] {
    switch (event.type) {
      case "joined":
        return this.join(event.node, event.slots, event.limit, event.held, now);
      case "silent":
        this.pool.setLive(event.node, false);
        return [];
      case "gone":
        this.expected.delete(event.node);
        this.pool.setLive(event.node, false);
        for (const attempt of this.attempts.running(event.node)) this.lost(attempt.id, now);
        return [];
      case "slot":
        this.setUsable(event.node, event.slot, event.usable);
        return [];
      case "ran":
        this.ran(event.attempt, event.seconds);
        return [];
      case "committed":
        this.attempts.release(event.attempt);
        return [];
      case "unpulled":
        this.attempts.uncollect(event.attempt);
        return [];
      case "failed":
        return this.failed(event.attempt, event.failure, now);
      case "lost":
        this.lost(event.attempt, now);
        return [];
      case "open":
        this.open = true;
        return [];
      case "settled":
        this.settled = true;
        return [];
      case "time":
        return [];
    }
  }

  private join(name: string, slots: Slot[], limit: number, held: Held[], now: number): Instruction[] {
    this.pool.join(name, slots, limit);
    this.expected.delete(name);
    const holds = new Set(held.map((one) => one.id));
    for (const attempt of this.attempts.running(name)) {
      if (holds.has(attempt.id)) this.attempts.reload(attempt);
      else {
        this.attempts.forget(attempt.id);
        this.requeue(attempt, now);
      }
    }
    const unknown = held.filter((one) => this.attempts.get(one.id) === undefined);
    return unknown.flatMap((one) => (this.adopt(name, one) ? [] : [{ do: "drop", node: name, id: one.id }]));
  }

  /** Takes over what an earlier coordinator started, unless its units are somebody's already. */
  private adopt(node: string, held: Held): boolean {
    const units = this.job.unitsOf(held.chunk);
    if (units === undefined || this.pool.slot(node, held.slot) === undefined) return false;
    if (!this.source.remove(...units)) return false;
    this.attempts.add({ id: held.id, number: 1, chunk: this.job.chunk(...units), node, slot: held.slot });
    return true;
  }

  private ran(id: string, seconds: number): void {
    if (!this.attempts.collect(id)) return;
    const { chunk, node, slot } = this.attempts.get(id)!.attempt;
    this.rates.learn(this.rates.at(slotKey(node, slot)), Number(chunk.end - chunk.start), seconds);
    const state = this.pool.slot(node, slot);
    if (state !== undefined) this.pool.rated(state);
  }

  private failed(id: string, failure: Failure, now: number): Instruction[] {
    const attempt = this.attempts.release(id);
    if (attempt === undefined) return [];
    if (attempt.number >= this.job.retry.attempts) return [{ do: "give-up", failure }];
    this.waiting.add({
      chunk: attempt.chunk,
      number: attempt.number + 1,
      at: now + backoff(this.job.retry.backoff, attempt.number),
      avoid: slotKey(attempt.node, attempt.slot),
    });
    return [];
  }

  private lost(id: string, now: number): void {
    const attempt = this.attempts.release(id);
    if (attempt !== undefined) this.requeue(attempt, now);
  }

  private requeue(attempt: Attempt, now: number): void {
    this.waiting.add({ chunk: attempt.chunk, number: attempt.number, at: now });
  }

  private setUsable(node: string, slot: number, usable: boolean): void {
    const state = this.pool.slot(node, slot);
    if (state !== undefined) this.pool.setUsable(state, usable);
  }

  /** Gives out work until no slot has room or no chunk is left for those that have. */
  private assign(now: number, out: Instruction[]): void {
    this.waiting.wake(now);
    for (;;) {
      this.pool.setDepth(queueDepth(this.rates.seconds, this.chunksLeft(), this.pool.usableSlots));
      const placed = this.placement.next();
      if (placed === undefined) break;
      const { chunk, number, slot } = placed;
      const id = `${this.session}-${(this.count++).toString(36)}`;
      const attempt = { id, number, chunk, node: slot.node, slot: slot.slot };
      this.attempts.add(attempt);
      out.push({ do: "start", attempt });
      this.waiting.wake(now);
    }
    if (this.settled && this.attempts.size === 0) out.push(...this.ending.conclude());
    const at = this.waiting.next();
    if (at !== undefined) out.push({ do: "wake", at });
  }

  private sizeFor(slot: SlotState): bigint {
    const { sizing } = this.job;
    if (sizing === undefined) return 1n;
    const size = chunkSize(sizing, slot.speed, {
      left: Number(this.source.left),
      slots: this.pool.usableSlots,
      rate: this.pool.rate,
      slowest: this.slowest(),
      overhead: this.rates.overhead,
    });
    this.lastSize = Number(size);
    return size;
  }

  /** Of the slots that there are, and of those that are still expected. */
  private slowest(): number | undefined {
    const known = [...this.expected.values(), ...(this.pool.slowest === undefined ? [] : [this.pool.slowest])];
    return known.length === 0 ? undefined : Math.min(...known);
  }

  private chunksLeft(): number {
    return Number(this.source.left) / this.lastSize + this.waiting.size;
  }
}

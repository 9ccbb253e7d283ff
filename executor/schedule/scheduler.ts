import type { Job } from "../job/job.js";
import { Blame, tries } from "./blame.js";
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
import { Attempts, type Underway } from "./underway.js";
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
  private readonly blame: Blame;
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
    this.blame = new Blame(this.pool, job.retry.attempts);
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
    const phase = this.attempts.get(id)?.phase;
    return phase === "running" || phase === "queued";
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
        for (const { attempt } of this.attempts.on(event.node)) this.leave(attempt.id, now);
        return [];
      case "slot":
        this.setUsable(event.node, event.slot, event.usable);
        return [];
      case "sick":
        return this.sick(event);
      case "well":
        this.pool.health(event.node, event.slot).sick = undefined;
        this.pool.changed(event.node, event.slot);
        return [];
      case "started":
        this.attempts.started(event.attempt);
        return [];
      case "ran":
        return this.ran(event.attempt, event.seconds);
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
    for (const underway of this.attempts.on(name)) {
      const { attempt } = underway;
      underway.leaving = false;
      if (holds.has(attempt.id)) this.attempts.reload(attempt);
      else {
        this.attempts.forget(attempt.id);
        this.requeue(underway, now);
      }
    }
    const unknown = held.filter((one) => this.attempts.get(one.id) === undefined);
    return unknown.flatMap((one) => (this.adopt(name, one) ? [] : [{ do: "drop", node: name, id: one.id }]));
  }

  /** Takes over what an earlier coordinator started, or was left there, unless its units are somebody's already. */
  private adopt(node: string, held: Held): boolean {
    const units = this.job.unitsOf(held.chunk);
    if (units === undefined || this.pool.slot(node, held.slot) === undefined) return false;
    const reclaimed = this.source.remove(...units) ? { history: [] } : this.waiting.reclaim(held.id);
    if (reclaimed === undefined) return false;
    const { history } = reclaimed;
    const number = history.length + 1;
    const attempt = { id: held.id, number, chunk: this.job.chunk(...units), node, slot: held.slot };
    this.attempts.add(attempt, history, held.state === "queued" ? "queued" : "running");
    return true;
  }

  private ran(id: string, seconds: number): Instruction[] {
    if (!this.attempts.collect(id)) return [];
    const { chunk, node, slot } = this.attempts.get(id)!.attempt;
    this.rates.learn(this.rates.at(slotKey(node, slot)), Number(chunk.end - chunk.start), seconds);
    this.pool.changed(node, slot);
    return this.blame.succeeded(node, slot);
  }

  private failed(id: string, failure: Failure, now: number): Instruction[] {
    const underway = this.attempts.release(id);
    if (underway === undefined) return [];
    const { attempt, history } = underway;
    const { chunk, node, slot } = attempt;
    const out = this.blame.failed(node, slot, chunk, history, failure.reason, now);
    if (this.blame.isOver(history)) return [...out, { do: "give-up", failure }];
    const at = now + backoff(this.job.retry.backoff, Math.max(1, tries(history)));
    this.waiting.add({ chunk, history, at });
    return [...out, ...this.withdrawFrom(node, slot)];
  }

  private sick({ node, slot, reason, lasting, evict }: Extract<Event, { type: "sick" }>): Instruction[] {
    this.pool.health(node, slot).sick = { reason, lasting };
    this.pool.changed(node, slot);
    const out = this.withdrawFrom(node, slot);
    const running = evict ? this.attempts.onSlot(node, slot, "running") : [];
    return running.length === 0 ? out : [...out, { do: "evict", node, ids: running.map(({ attempt }) => attempt.id) }];
  }

  /** Has what is queued on a slot that was taken out come back. */
  private withdrawFrom(node: string, slot: number): Instruction[] {
    const { quarantine, sick } = this.pool.health(node, slot);
    if (quarantine === undefined && sick === undefined) return [];
    const queued = this.attempts.onSlot(node, slot, "queued").filter(({ leaving }) => !leaving);
    for (const underway of queued) underway.leaving = true;
    return queued.length === 0 ? [] : [{ do: "withdraw", node, ids: queued.map(({ attempt }) => attempt.id) }];
  }

  private lost(id: string, now: number): void {
    const underway = this.attempts.release(id);
    if (underway !== undefined) this.requeue(underway, now);
  }

  /** It stays where it is, out of reach: its chunk is for whoever is free first, and that may be its node come back. */
  private leave(id: string, now: number): void {
    const underway = this.attempts.release(id);
    if (underway === undefined) return;
    const { attempt, history } = underway;
    this.waiting.add({ chunk: attempt.chunk, history, at: now, left: id });
  }

  private requeue({ attempt, history }: Underway, now: number): void {
    this.waiting.add({ chunk: attempt.chunk, history, at: now });
  }

  private setUsable(node: string, slot: number, usable: boolean): void {
    const state = this.pool.slot(node, slot);
    if (state !== undefined) this.pool.setUsable(state, usable);
  }

  /** Gives out work until no slot has room or no chunk is left for those that have. */
  private assign(now: number, out: Instruction[]): void {
    this.waiting.wake(now);
    this.blame.wake(now);
    for (;;) {
      this.pool.setDepth(queueDepth(this.rates.seconds, this.chunksLeft(), this.pool.usableSlots));
      const placed = this.placement.next();
      if (placed === undefined) break;
      const { chunk, history, slot } = placed;
      const id = `${this.session}-${(this.count++).toString(36)}`;
      const attempt = { id, number: history.length + 1, chunk, node: slot.node, slot: slot.slot };
      this.attempts.add(attempt, history, "queued");
      out.push({ do: "start", attempt });
      this.waiting.wake(now);
    }
    if (this.settled && this.attempts.size === 0) out.push(...this.ending.conclude());
    const at = Math.min(this.waiting.next() ?? Infinity, this.blame.next() ?? Infinity);
    if (at < Infinity) out.push({ do: "wake", at });
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

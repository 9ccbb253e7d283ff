import type { Chunk, Job } from "../job/job.js";
import type { IssueAttemptId } from "./attempts/attemptids.js";
import { canaryOf, isCanary, alone as onlySlot } from "./attempts/canary.js";
import { Divisions } from "./attempts/divisions.js";
import { Ending } from "./attempts/ending.js";
import { Joins } from "./attempts/joins.js";
import { Reservations } from "./attempts/reservations.js";
import { Returns } from "./attempts/returns.js";
import { Tail } from "./attempts/tail.js";
import { Attempts, type Underway } from "./attempts/underway.js";
import type { Attempt, Event, Instruction } from "./events.js";
import { type Placed, Placement } from "./placement.js";
import type { Retry } from "./queue/retry.js";
import { Sizes } from "./queue/sizes.js";
import type { Source } from "./queue/source.js";
import { rangeSource, taskSource } from "./queue/sources.js";
import { Waiting } from "./queue/waiting.js";
import { queueDepth } from "./rates/depth.js";
import { UnitLengths } from "./rates/lengths.js";
import { type Learned, Rates } from "./rates/rates.js";
import { TaskLengths } from "./rates/tasklengths.js";
import { Blame } from "./slots/blame.js";
import { Pool } from "./slots/pool.js";
import type { SlotState } from "./slots/slot.js";

/**
 * Decides which chunk runs where and when, and what becomes of one that failed. No clock, no I/O: `handle` takes an event
 * and the time (seconds, any origin) and answers with instructions. Every unit of the job ends committed or given up, once.
 */
export class Scheduler {
  private readonly rates = new Rates();
  private readonly lengths: UnitLengths | TaskLengths;
  private readonly pool: Pool;
  private readonly sizes: Sizes;
  private readonly source: Source;
  private readonly waiting: Waiting;
  private readonly attempts: Attempts;
  private readonly reservations: Reservations;
  private readonly placement: Placement;
  private readonly ending: Ending;
  private readonly blame: Blame;
  private readonly tail: Tail;
  private readonly returns: Returns;
  private readonly divisions: Divisions;
  private readonly joins: Joins;
  private open = false;
  private settled = false;

  /**
   * `done`: the units that earlier sessions committed. `issueId` names attempts. `expected`: first-guess rates of the nodes
   * that may join. `learned`: by earlier runs. `canaries`: what earlier sessions committed and have not compared.
   */
  constructor(
    private readonly job: Job,
    done: Iterable<[start: bigint, end: bigint]>,
    private readonly issueId: IssueAttemptId,
    expected: Map<string, number> = new Map(),
    learned?: Learned,
    canaries: Retry[] = [],
  ) {
    if (learned !== undefined) this.rates.recall(learned);
    const reference = expected.size === 0 ? undefined : Math.min(...expected.values());
    this.lengths =
      job.kind === "range"
        ? new UnitLengths(this.rates)
        : new TaskLengths(this.rates, learned?.programs ?? new Map(), reference);
    this.pool = new Pool(this.rates, (rate) => this.lengths.guess(rate));
    this.attempts = new Attempts(this.pool);
    this.sizes = new Sizes(this.pool, this.rates, new Map(expected));
    this.source =
      this.lengths instanceof TaskLengths
        ? taskSource(job, this.pool, this.lengths, () => this.attempts.size > 0)
        : rangeSource(job, this.sizes);
    for (const [start, end] of done) this.source.remove(start, end);
    this.waiting = new Waiting(job.retry.attempts);
    for (const canary of canaries) this.waiting.add(canary);
    this.reservations = new Reservations(this.pool, this.source, this.waiting, this.attempts);
    this.placement = new Placement(job, this.pool, this.source, this.waiting, this.reservations);
    this.blame = new Blame(this.pool, job.retry.attempts);
    this.returns = new Returns(job, this.pool, this.attempts, this.waiting, this.blame);
    this.divisions = new Divisions(job, this.attempts, this.waiting);
    this.joins = new Joins(job, this.pool, this.source, this.attempts, this.waiting, this.returns, this.divisions);
    this.tail = new Tail(job, this.pool, this.attempts, this.rates, this.lengths);
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

  /** Attempts that have been given out and are not committed, failed or lost. */
  get underway(): number {
    return this.attempts.size;
  }

  /** How much there is to do in a chunk, as its slots' rates count it; undefined = unknown. */
  lengthOf(chunk: Chunk): number | undefined {
    return this.lengths.of(chunk);
  }

  /** What a slot is expected to do in a second; undefined = unknown. */
  rateOf(node: string, slot: number): number | undefined {
    return this.pool.slot(node, slot)?.speed.rate;
  }

  /** What is known now of how fast slots are at this kind of work, and how long it takes. */
  learned(): Learned {
    const programs = this.lengths instanceof TaskLengths ? this.lengths.learned() : undefined;
    return { ...this.rates.learned(), programs };
  }

  /** Units that nobody has been given yet. */
  get left(): bigint {
    return this.source.left;
  }

  private react(event: Event, now: number): Instruction[] {
    switch (event.type) {
      case "joined":
        this.sizes.met(event.node);
        return this.joins.join(event, now);
      case "silent":
        this.pool.setLive(event.node, false);
        return [];
      case "gone":
        this.sizes.met(event.node);
        this.pool.setLive(event.node, false);
        return this.attempts.on(event.node).flatMap(({ attempt }) => this.returns.leave(attempt.id, now));
      case "held":
        this.withSlot(event, (slot) => this.pool.hold(slot, event.holder));
        return [];
      case "broken":
        this.withSlot(event, (slot) => this.pool.break(slot, event.reason));
        return [];
      case "short":
        for (const slot of this.pool.nodes.get(event.node)?.slots ?? []) slot.short = event.slots.includes(slot.slot);
        return [];
      case "sick":
        return this.sick(event);
      case "well":
        this.pool.health(event.node, event.slot).sick = undefined;
        this.pool.changed(this.pool.slot(event.node, event.slot));
        return [];
      case "started":
        this.attempts.started(event.attempt, now);
        return [];
      case "ran":
        return this.ran(event.attempt, event.seconds, event.end, now);
      case "split":
        return this.divisions.split(event.attempt, event.end, now, event.busy);
      case "committed":
        return this.committed(event.attempt, now);
      case "unpulled":
        this.attempts.uncollect(event.attempt);
        return [];
      case "failed":
        return this.returns.failed(event.attempt, event.failure, now);
      case "lost":
        this.returns.lost(event.attempt, now);
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

  private ran(id: string, seconds: number, end: bigint | undefined, now: number): Instruction[] {
    const out = this.divisions.split(id, end, now);
    if (!this.attempts.collect(id)) return out;
    const { attempt, slot, twin } = this.attempts.get(id)!;
    this.lengths.learn(slot.speed, attempt.chunk, seconds);
    this.pool.changed(slot);
    if (twin !== undefined) out.push(...this.divisions.supersede(twin));
    out.push(...this.blame.succeeded(slot));
    return out;
  }

  /** Its result is safe. Some chunks are then computed again, to see whether another slot makes the same of them. */
  private committed(id: string, now: number): Instruction[] {
    const { attempt } = this.attempts.release(id) ?? {};
    if (attempt === undefined || attempt.chunk.again !== undefined || !isCanary(this.job, attempt.chunk)) return [];
    if (this.pool.slotCount < 2) return [{ do: "unchecked", failure: onlySlot(attempt) }];
    this.waiting.add(canaryOf(attempt.chunk, attempt, now));
    return [];
  }

  private sick({ node, slot, reason, lasting, evict }: Extract<Event, { type: "sick" }>): Instruction[] {
    this.pool.health(node, slot).sick = { reason, lasting };
    this.pool.changed(this.pool.slot(node, slot));
    const out = this.returns.withdrawFrom(node, slot);
    const running = evict ? this.attempts.onSlot(node, slot, "running") : [];
    return running.length === 0 ? out : [...out, { do: "evict", node, ids: running.map(({ attempt }) => attempt.id) }];
  }

  private withSlot({ node, slot }: { node: string; slot: number }, change: (state: SlotState) => void): void {
    const state = this.pool.slot(node, slot);
    if (state !== undefined) change(state);
  }

  /** Gives out work until no slot has room or no chunk is left for those that have. */
  private assign(now: number, out: Instruction[]): void {
    this.waiting.wake(now);
    this.blame.wake(now);
    out.push(...this.reservations.update());
    for (;;) {
      this.pool.setDepth(queueDepth(this.rates.seconds, this.chunksLeft(), this.pool.usableSlots, this.job.kind));
      const placed = this.placement.next();
      if (placed === undefined) break;
      this.start(placed, now, out);
      this.waiting.wake(now);
    }
    const allGiven = this.source.left === 0n && this.waiting.size === this.waiting.alone.size;
    if (allGiven && this.attempts.size > 0) this.relieve(now, out);
    if (this.settled && this.attempts.size === 0) out.push(...this.ending.conclude(), ...this.ending.stuck());
    const at = Math.min(this.waiting.next() ?? Infinity, this.blame.next() ?? Infinity);
    if (at < Infinity) out.push({ do: "wake", at });
  }

  private start({ chunk, history, slot, alone }: Placed, now: number, out: Instruction[]): Underway {
    const id = this.issueId(slot.node, chunk);
    const attempt = { id, number: history.length + 1, chunk, node: slot.node, slot: slot.slot };
    out.push({ do: "start", attempt });
    return this.attempts.add({ attempt, slot, history, phase: "queued", since: now, alone });
  }

  private relieve(now: number, out: Instruction[]): void {
    const { instructions, doubles } = this.tail.relieve(now);
    out.push(...instructions);
    for (const { of, slot } of doubles) {
      of.twin = this.start({ chunk: of.attempt.chunk, history: of.history, slot, alone: false }, now, out);
      of.twin.twin = of;
    }
  }

  private chunksLeft(): number {
    return Number(this.source.left) / this.sizes.last + this.waiting.size;
  }
}

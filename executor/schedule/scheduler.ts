import type { Job } from "../job/job.js";
import type { IssueAttemptId } from "./attempts/attemptids.js";
import { AttemptStarter } from "./attempts/attemptstarter.js";
import { ChunkStops } from "./attempts/chunkstops.js";
import { Completion } from "./attempts/completion.js";
import { InFlightAttempts } from "./attempts/inflight.js";
import { NodeDrains } from "./attempts/nodedrains.js";
import { QueueChanges } from "./attempts/queuechanges.js";
import { Reattacher } from "./attempts/reattach.js";
import { decideFate, Recomputations, type ResultFate } from "./attempts/recomputations.js";
import { Requeuer } from "./attempts/requeue.js";
import { ScheduleView } from "./attempts/scheduleview.js";
import { SlotReports } from "./attempts/slotreports.js";
import { Splitter } from "./attempts/splitting.js";
import { StragglerPolicy } from "./attempts/stragglers.js";
import type { Attempt, Event, Failure, Instruction } from "./events.js";
import { HaltPolicy } from "./halting/haltpolicy.js";
import { NodeMembership } from "./nodemembership.js";
import { Placement } from "./placement.js";
import { ChunkSizer } from "./queue/chunksizer.js";
import type { ChunkSource } from "./queue/chunksource.js";
import { createRangeSource, createTaskSource } from "./queue/createsource.js";
import { RetryQueue } from "./queue/retryqueue.js";
import { UnitCosts } from "./rates/costmodel.js";
import { queueDepth } from "./rates/queuedepth.js";
import { type LearnedRates, Rates } from "./rates/rates.js";
import { TaskCosts } from "./rates/taskcosts.js";
import { ResultEvents } from "./resultevents.js";
import type { ScheduleStart } from "./schedulestart.js";
import { Deadlines } from "./slots/deadlines.js";
import { EndingSlots } from "./slots/endingslots.js";
import { findSlowestRate } from "./slots/expectednodes.js";
import { Pool } from "./slots/pool.js";
import { QuarantineTracker } from "./slots/quarantine.js";

/**
 * Decides which chunk runs where and when, and what happens to a chunk that failed. Pure: no clock and no I/O. `handle`
 * takes an event and the current time (seconds, any origin) and returns instructions. Every unit of the job is committed or
 * given up exactly once.
 */
export class Scheduler {
  /** For those who show what runs; it decides nothing. */
  readonly view: ScheduleView;
  /** The chunks that are to be stopped. */
  readonly stops: ChunkStops;
  private readonly rates = new Rates();
  private readonly costs: UnitCosts | TaskCosts;
  private readonly pool: Pool;
  private readonly endingSlots: EndingSlots;
  private readonly chunkSizer: ChunkSizer;
  private readonly source: ChunkSource;
  private readonly retryQueue: RetryQueue;
  private readonly attempts: InFlightAttempts;
  private readonly placement: Placement;
  private readonly completion: Completion;
  private readonly quarantine: QuarantineTracker;
  private readonly requeuer: Requeuer;
  private readonly recomputations: Recomputations;
  private readonly splitter: Splitter;
  private readonly results: ResultEvents;
  private readonly membership: NodeMembership;
  private readonly slotReports: SlotReports;
  private readonly nodeDrains: NodeDrains;
  readonly queueChanges: QueueChanges;
  private readonly halting: HaltPolicy;
  private readonly starter: AttemptStarter;
  private isOpen = false;
  private hasHalted = false;
  private haveAllJoined = false;
  private areMoreExpected = false;

  /** `issueId` names attempts. */
  constructor(
    private readonly job: Job,
    issueId: IssueAttemptId,
    { done = [], committedChunks = 0, rechecks = [], expected = new Map(), learned }: ScheduleStart = {},
  ) {
    if (learned !== undefined) this.rates.restore(learned);
    this.costs =
      job.kind === "range"
        ? new UnitCosts(this.rates)
        : new TaskCosts(this.rates, learned?.programs ?? new Map(), findSlowestRate(expected));
    this.pool = new Pool(this.rates, this.costs);
    this.attempts = new InFlightAttempts(this.pool);
    this.chunkSizer = new ChunkSizer(this.pool, this.rates, job.gpuCounts?.fewest ?? 1, expected);
    this.source =
      this.costs instanceof TaskCosts
        ? createTaskSource(job, this.pool, this.costs, () => this.attempts.size > 0)
        : createRangeSource(job, this.chunkSizer);
    for (const [start, end] of done) this.source.remove(start, end);
    this.retryQueue = new RetryQueue(job.retry.attempts);
    for (const recheck of rechecks) this.retryQueue.add(recheck);
    this.halting = new HaltPolicy(job, this.pool, this.attempts, this.retryQueue, committedChunks);
    const deadlines = new Deadlines(job, this.pool, this.costs, this.rates);
    this.endingSlots = new EndingSlots(this.pool, deadlines);
    const { pool, attempts, retryQueue, rates, source, costs, chunkSizer, endingSlots } = this;
    this.placement = new Placement(job, { pool, source, retryQueue, attempts, costs, rates, deadlines, endingSlots });
    this.quarantine = new QuarantineTracker(pool, job.retry.attempts);
    this.recomputations = new Recomputations(attempts);
    const { quarantine, recomputations } = this;
    this.stops = new ChunkStops(job, attempts, retryQueue, source);
    this.requeuer = new Requeuer(job, pool, attempts, retryQueue, quarantine, recomputations, deadlines);
    this.slotReports = new SlotReports(pool, attempts, this.requeuer);
    this.nodeDrains = new NodeDrains(pool, attempts, this.requeuer);
    this.queueChanges = new QueueChanges(job, source, retryQueue, attempts);
    this.splitter = new Splitter(job, attempts, retryQueue, rates, recomputations);
    const { requeuer, splitter, stops, halting, nodeDrains, queueChanges } = this;
    const parts = { job, pool, attempts, retryQueue, quarantine, recomputations, splitter, stops, halting };
    this.results = new ResultEvents(parts);
    const reattacher = new Reattacher(job, pool, source, attempts, retryQueue, requeuer, splitter, stops);
    const nodeParts = { chunkSizer, deadlines, nodeDrains, queueChanges, reattacher, requeuer };
    this.membership = new NodeMembership({ ...parts, ...nodeParts });
    const stragglers = new StragglerPolicy(job, pool, attempts, rates, costs, deadlines);
    this.starter = new AttemptStarter(issueId, attempts, stragglers, recomputations, job, endingSlots);
    this.completion = new Completion(job, pool, source, retryQueue, deadlines);
    this.view = new ScheduleView(job, pool, attempts, source, retryQueue, chunkSizer, rates, costs);
  }

  handle(event: Event, now: number): Instruction[] {
    if (this.hasHalted) return [];
    const out = this.applyEvent(event, now);
    out.push(...this.queueChanges.review(), ...this.stops.review(this.haveAllJoined));
    for (const one of out) if (one.do === "give-up") this.recordGivenUp(one.failure);
    this.endingSlots.review(event.type !== "tick", now);
    if (this.isOpen) this.dispatch(now, out);
    return out;
  }

  /** Returns the attempt with this id while it is in flight; undefined otherwise. */
  attempt(id: string): Attempt | undefined {
    return this.attempts.get(id)?.attempt;
  }

  /** Whether this attempt is queued or running on its node, so that its end would be new. */
  isRunning(id: string): boolean {
    const phase = this.attempts.get(id)?.phase;
    return phase === "running" || phase === "queued";
  }

  /** Returns what is to become of the result of an attempt that was collected. */
  fateOf(id: string): ResultFate {
    return decideFate(this.attempts.get(id));
  }

  /** The number of attempts that were started and are not committed, failed or lost. */
  get inFlightCount(): number {
    return this.attempts.size;
  }

  /** Returns what this run has learned about rates and durations, for later runs of the same kind of work. */
  learned(): LearnedRates {
    const programs = this.costs instanceof TaskCosts ? this.costs.learned() : undefined;
    return { ...this.rates.learned(), programs };
  }

  /** Whether no chunk runs or waits. */
  get isIdle(): boolean {
    return this.source.left === 0n && this.retryQueue.size === 0 && this.attempts.size === 0;
  }

  /** The number of units that have not been given to any slot. */
  get unassignedUnits(): bigint {
    return this.source.left;
  }

  private applyEvent(event: Event, now: number): Instruction[] {
    switch (event.type) {
      case "nodeJoined":
      case "nodeDisconnected":
      case "nodeLost":
      case "lifetimeDeclared":
        return this.membership.handle(event, now);
      case "nodeDrained":
        return this.nodeDrains.handle(event);
      case "slotHeld":
      case "slotBroken":
      case "memoryPressure":
      case "slotSick":
      case "slotRecovered":
        return this.slotReports.handle(event);
      case "started":
        this.attempts.markStarted(event.attempt, now);
        return [];
      case "preempted":
        this.attempts.markPreempted(event.attempt, event.run);
        return [];
      case "finished":
        if (event.loading !== undefined) this.rates.recordLoading(event.loading);
        return this.results.finish(event, now);
      case "split":
        return this.splitter.split(event.attempt, event.end, now, event.busy);
      case "stopRequested":
        return this.stops.request(event.chunk);
      case "stopped":
        return this.results.startCollecting(event.attempt);
      case "committed":
        return this.results.commit(event.attempt, now);
      case "held":
        return this.recomputations.hold(event.attempt);
      case "collectFailed":
        this.attempts.undoCollecting(event.attempt);
        return [];
      case "failed":
        // A full disk says nothing about the job, so it does not count for halting.
        if (event.failure.fullDisk === undefined) this.recordFailure(event, now);
        return this.requeuer.handleFailure(event.attempt, event.failure, now);
      case "refused":
        this.recordFailure(event, now);
        return this.requeuer.handleRefusedResult(event.attempt, event.failure);
      case "requeued":
        return this.requeuer.requeueAttempt(event.attempt, now);
      case "unitsAdded":
      case "unitCancelled":
      case "queueClosed":
        return this.queueChanges.handle(event);
      case "dispatchOpened":
        this.isOpen = true;
        return [];
      case "allJoined":
        this.haveAllJoined = true;
        this.chunkSizer.removeAllExpected();
        return [];
      case "moreNodesExpected":
        this.areMoreExpected = event.expected;
        return [];
      case "tick":
        return [];
      default:
        return event satisfies never;
    }
  }

  private recordGivenUp(failure: Failure): void {
    this.stops.settle(failure.chunk);
    this.halting.recordGivenUp(failure);
  }

  private recordFailure({ attempt: id, failure }: Extract<Event, { type: "failed" | "refused" }>, now: number): void {
    const inFlight = this.attempts.get(id);
    if (inFlight !== undefined) this.halting.recordFailure(inFlight, failure, now);
  }

  /** Starts chunks until no slot is free or no remaining chunk fits a free slot. */
  private dispatch(now: number, out: Instruction[]): void {
    this.retryQueue.releaseDue(now);
    this.quarantine.releaseDue(now);
    out.push(...this.placement.reserveNodes(now));
    if (this.halt(now, out)) return;
    this.startChunks(now, out);
    const allGiven = this.source.left === 0n && this.retryQueue.size === this.retryQueue.exclusive.size;
    if (allGiven && this.attempts.size > 0) this.starter.helpStragglers(now, out);
    // A finished run does not wait for nodes that are still being dialled or prepared.
    const isEmpty = this.source.left === 0n && this.retryQueue.size === 0;
    const isDone = isEmpty && !this.source.isOpen && !this.stops.hasParked;
    const mayGiveUp = this.haveAllJoined && !this.areMoreExpected;
    if (this.attempts.size === 0 && (mayGiveUp || isDone))
      out.push(...this.completion.finishRun(now), ...this.completion.reportStuck(now));
    const times = [this.retryQueue.nextDueAt(), this.quarantine.nextReleaseAt(), this.halting.nextDecisionAt(now)];
    if (!isEmpty) times.push(this.endingSlots.nextReviewAt());
    const at = Math.min(...times.map((time) => time ?? Infinity));
    if (at < Infinity) out.push({ do: "wake", at });
  }

  private startChunks(now: number, out: Instruction[]): void {
    const allowance = this.halting.allow(!this.haveAllJoined, now);
    const wait = this.halting.takeWaitReason();
    if (wait !== undefined) out.push({ do: "report-wait", reason: wait });
    for (let left = allowance === "all" ? Infinity : allowance === "one-retry" ? 1 : 0; left > 0; left--) {
      const chunksLeft = Number(this.source.left) / this.chunkSizer.lastSize + this.retryQueue.size;
      this.pool.setDepth(queueDepth(this.rates.seconds, chunksLeft, this.pool.usableSlots, this.job.kind));
      out.push(...this.placement.holdSlots(now));
      const placed = allowance === "all" ? this.placement.next(now) : this.placement.nextRetry(now);
      if (placed !== undefined) this.starter.start(placed, now, out);
      // Chunks that were looked at, and found no slots, may have slots held for them now.
      if (!this.retryQueue.releaseDue(now) && placed === undefined) break;
    }
    if (allowance !== "one-retry" || this.attempts.size > 0 || this.retryQueue.nextDueAt() !== undefined) return;
    if (this.areMoreExpected) return; // A node may join where it can be tried.
    this.halting.forgoRetry();
    this.halt(now, out);
  }

  /** Stops the run where it cannot succeed; what is done already is judged by `end`. */
  private halt(now: number, out: Instruction[]): boolean {
    const halt = this.isIdle ? undefined : this.halting.findReason(!this.haveAllJoined, now);
    if (halt === undefined) return false;
    this.hasHalted = true;
    out.push({ do: "halt", halt });
    return true;
  }
}

import type { Chunk, Job } from "../../job/job.js";
import type { CostModel } from "../rates/costmodel.js";
import { DurationBound } from "../rates/durationbound.js";
import type { Rates } from "../rates/rates.js";
import { countMostAlike } from "./gpukinds.js";
import type { Pool } from "./pool.js";
import { isUsable, type SlotState } from "./slotstate.js";
import { fitsPin } from "./usablecount.js";

/** A chunk should have ended this long before its node ends, so that its result can be collected. */
const MARGIN_SECONDS = 5;
/** A chunk of unknown duration starts while this much time is left, or this share of the time that nodes last. */
const MIN_UNKNOWN_SECONDS = 60;
const MIN_UNKNOWN_SHARE = 1 / 4;
/** A slot may be this many times slower than a rate that was not measured. */
const GUESS_FACTOR = 3;
/** A chunk that was cut off needs at least this many times as long as it ran. */
const CUT_OFF_FACTOR = 1.5;
/** A slot with this share of the time that nodes last takes chunks that fit none: they may be shorter than expected. */
const WHOLE_SHARE = 0.9;
/** With a state, such a chunk goes on where it was cut off, so that a part of the time is of use. */
const WHOLE_SHARE_WITH_STATE = 0.5;
/** A chunk that ran for this share of it will not end on any other such node. */
const TRY_SHARE = 0.8;
/** A node may end so much before its deadline: Slurm looks at time limits every 30 s, and then ends what would end before the next time. */
const EARLY_END_SECONDS = 30;
/** With a short limit that can be most of the time. An attempt must have run for this share of it to use up a try all the same. */
const MIN_TRY_SHARE = 0.4;

/** What is known of all nodes that a run may ever have. `seconds`: how long one can work; `advice`: what to do for a chunk that needs longer. */
interface DeclaredLifetime {
  readonly seconds: number;
  readonly advice: string;
}

/** How many of the nodes that joined last say how long nodes last. */
const COUNTED_NODES = 16;

/** A chunk that needs a slot. `longestRunSeconds`: the longest that an attempt at it has run without ending. */
export interface SlotRequest {
  readonly chunk: Chunk;
  readonly longestRunSeconds?: number;
}

/** Tells what fits on slots whose nodes have a deadline: the chunks that nine of ten times end there before it. */
export class Deadlines {
  /** Whether any node has had a deadline; without, there is nothing to check. */
  isUsed = false;
  readonly bound: DurationBound;
  /** undefined = nodes without a deadline may come, or those that last longer. */
  declared: DeclaredLifetime | undefined;
  /** How many seconds the nodes that joined last had until their deadlines. */
  private readonly lifetimes: number[] = [];
  private lifetime = 0;
  /** The least that a slot of a range was seen to complete in a second when it was cut off in the middle of a chunk. */
  private rateLimit = Number.POSITIVE_INFINITY;

  constructor(
    private readonly job: Pick<Job, "kind" | "sizing" | "gpuCounts">,
    private readonly pool: Pool,
    private readonly costs: CostModel,
    private readonly rates: Rates,
  ) {
    this.bound = new DurationBound(costs, rates);
  }

  recordJoin(deadline: number | undefined, now: number): void {
    if (deadline === undefined) return;
    this.isUsed = true;
    this.lifetimes.push(Math.max(0, deadline - now));
    if (this.lifetimes.length > COUNTED_NODES) this.lifetimes.shift();
    this.lifetime = Math.max(...this.lifetimes);
  }

  /** Whether a chunk should end on a slot before the deadline, after what the slot has; or whether it is worth a try there. */
  fits(request: SlotRequest, slot: SlotState, now: number): boolean {
    return slot.home.deadline === undefined || this.fitsWithin(request, slot, this.secondsFor(slot, now));
  }

  /** The same for a chunk that starts at `from`, when the slot is idle. */
  fitsFrom(request: SlotRequest, slot: SlotState, from: number): boolean {
    const { deadline } = slot.home;
    return deadline === undefined || this.fitsWithin(request, slot, deadline - MARGIN_SECONDS - from);
  }

  /** Whether any new chunk of the job may fit on a slot. */
  admits(slot: SlotState, now: number): boolean {
    if (slot.home.deadline === undefined) return true;
    if (this.job.kind === "range") return this.mostUnits(slot, now) >= this.leastUnits;
    return this.secondsFor(slot, now) > 0;
  }

  /** Returns the highest cost of a new chunk that fits on a slot; 0 = none does. */
  mostCost(slot: SlotState, now: number): number {
    if (slot.home.deadline === undefined) return Number.POSITIVE_INFINITY;
    const seconds = this.secondsFor(slot, now);
    const rate = this.safeRate(slot);
    if (rate === undefined) return seconds >= this.unknownSeconds ? Number.POSITIVE_INFINITY : 0;
    const cost = Math.max(0, this.bound.mostCost(seconds, rate));
    const isLastResort = this.job.kind === "range" && this.isLastResort(seconds, WHOLE_SHARE);
    return isLastResort ? Math.max(cost, this.leastUnits / this.width) : cost;
  }

  /** Returns the units of the largest chunk of a range that fits on a slot, or on several of its node. */
  mostUnits(slot: SlotState, now: number): number {
    return Math.floor(this.mostCost(slot, now) * this.width + Number.EPSILON);
  }

  /** Whether a slot is to take any new chunk, because its node lasts as long as any, and no other node stays. */
  takesAny(slot: SlotState, now: number): boolean {
    return this.isLastResort(this.secondsFor(slot, now), WHOLE_SHARE);
  }

  /** Whether a chunk may be cut in two, each of which has at least the units that chunks must have. */
  isDivisible({ start, end, spec, firstResult }: Chunk): boolean {
    if (this.job.kind !== "range" || spec.state !== undefined || firstResult !== undefined) return false;
    return this.job.sizing!.min !== this.job.sizing!.max && Number(end - start) >= 2 * this.leastUnits;
  }

  /** The fewest units of a chunk of a range. */
  get leastUnits(): number {
    return Math.max(1, this.job.sizing?.min ?? 1);
  }

  /**
   * Learns from an attempt that ran `seconds`, until `until`, on a node with a deadline and did not end. Returns whether the chunk has had all
   * the time that nodes offer, which uses up a try.
   */
  recordCutOff(chunk: Chunk, slot: SlotState, seconds: number, until: number): boolean {
    const { rateEstimate } = slot;
    if (this.job.kind === "range" && rateEstimate.evidence === 0 && seconds > 0)
      this.rateLimit = Math.min(this.rateLimit, this.costs.estimate(chunk)! / seconds);
    return (
      this.needsWhole(chunk) && (seconds >= TRY_SHARE * this.lifetime || this.wasWarnedEarly(slot, seconds, until))
    );
  }

  /** Whether an attempt would have had the whole time of its node, which was told of its end somewhat before its deadline. */
  private wasWarnedEarly({ home: { deadline } }: SlotState, seconds: number, until: number): boolean {
    const missing = (deadline ?? Number.POSITIVE_INFINITY) - until;
    const isLong = seconds >= MIN_TRY_SHARE * this.lifetime;
    return isLong && missing <= EARLY_END_SECONDS && seconds + missing >= WHOLE_SHARE * this.lifetime;
  }

  /**
   * Whether a chunk that was cut off after `seconds` by the end of its node cannot end on any other node of the run either: it had the time of
   * a whole node, and no node lasts longer. One that ended before its deadline (preempted, cancelled) tells nothing.
   */
  isHopeless(
    chunk: Chunk,
    { home: { deadline = Number.POSITIVE_INFINITY } }: SlotState,
    seconds: number,
    until: number,
  ): boolean {
    if (this.declared === undefined || !this.needsWhole(chunk) || until < deadline - MARGIN_SECONDS) return false;
    for (const node of this.pool.nodes.values()) if (node.deadline === undefined) return false;
    return seconds >= WHOLE_SHARE * (Math.max(this.declared.seconds, this.lifetime) - MARGIN_SECONDS);
  }

  /** Whether a chunk can only end within the time of one node. */
  private needsWhole(chunk: Chunk): boolean {
    return chunk.spec.state === undefined && !this.isDivisible(chunk);
  }

  /** Returns how many seconds a new chunk has on a slot; Infinity = its node has no deadline. */
  secondsFor(slot: SlotState, now: number): number {
    const { deadline } = slot.home;
    if (deadline === undefined) return Number.POSITIVE_INFINITY;
    return deadline - MARGIN_SECONDS - now - this.queuedSeconds(slot, now) * this.costs.ninthDecile;
  }

  /** Returns how many seconds a chunk should take on a slot; undefined = unknown. */
  expectedSeconds({ chunk }: SlotRequest, { rateEstimate: { rate } }: SlotState): number | undefined {
    const cost = this.costs.estimate(chunk);
    return rate === undefined || cost === undefined ? undefined : this.rates.overhead.seconds + cost / rate;
  }

  private fitsWithin(request: SlotRequest, slot: SlotState, seconds: number): boolean {
    if (seconds <= 0) return false;
    const { chunk, longestRunSeconds = 0 } = request;
    const rate = this.safeRate(slot);
    const isKnown = rate !== undefined && this.costs.estimate(chunk) !== undefined;
    // With a state it goes on where it was cut off.
    const hasHadAsMuch = chunk.spec.state === undefined && CUT_OFF_FACTOR * longestRunSeconds > seconds;
    const shouldEnd = this.bound.longestSeconds(chunk, rate) <= seconds;
    if (!hasHadAsMuch && (shouldEnd || (!isKnown && seconds >= this.unknownSeconds))) return true;
    const share = chunk.spec.state === undefined ? WHOLE_SHARE : WHOLE_SHARE_WITH_STATE;
    return this.isWhole(seconds, share) && !this.isDivisible(chunk) && !this.hasLastingSlotFor(chunk);
  }

  /** Returns how long a slot is expected to need for the chunks that it has. One that is late may need as long as chunks do. */
  private queuedSeconds({ key, load }: SlotState, now: number): number {
    if (load === 0) return 0;
    const end = this.pool.workInProgress.endOf(key);
    if (end === undefined) return Number.POSITIVE_INFINITY;
    return end > now ? end - now : load * (this.rates.seconds ?? Number.POSITIVE_INFINITY);
  }

  /** Returns the rate that a slot has at least; undefined = unknown. */
  private safeRate({ rateEstimate: { rate, evidence } }: SlotState): number | undefined {
    if (this.job.kind !== "range" || evidence > 0) return rate;
    const least = Math.min((rate ?? Number.POSITIVE_INFINITY) / GUESS_FACTOR, this.rateLimit / CUT_OFF_FACTOR);
    return least === Number.POSITIVE_INFINITY ? undefined : least;
  }

  private get unknownSeconds(): number {
    return Math.min(MIN_UNKNOWN_SECONDS, MIN_UNKNOWN_SHARE * (this.lifetime - MARGIN_SECONDS));
  }

  private isWhole(seconds: number, share: number): boolean {
    return seconds > 0 && seconds >= share * (this.lifetime - MARGIN_SECONDS);
  }

  private isLastResort(seconds: number, share: number): boolean {
    return this.isWhole(seconds, share) && this.pool.usable.lasting === 0;
  }

  /** Whether a usable slot of a node without a deadline could run the chunk. */
  private hasLastingSlotFor({ spec: { gpus = 1 }, gpu }: Chunk): boolean {
    if (this.pool.usable.lasting === 0) return false;
    if (gpus === 1 && gpu === undefined) return true;
    for (const { deadline, slots } of this.pool.nodes.values()) {
      if (deadline !== undefined) continue;
      const fit = slots.filter((slot) => isUsable(slot) && fitsPin(gpu, slot));
      if (gpus === 1 ? fit.length > 0 : countMostAlike(fit) >= gpus) return true;
    }
    return false;
  }

  private get width(): number {
    return this.job.gpuCounts?.fewest ?? 1;
  }
}

import type { Job } from "../../job/job.js";
import type { Instruction } from "../events.js";
import type { CostModel } from "../rates/costmodel.js";
import type { OverheadEstimate } from "../rates/overhead.js";
import type { Rates } from "../rates/rates.js";
import { countAgentDeaths } from "../slots/agentdeaths.js";
import type { Deadlines, SlotRequest } from "../slots/deadlines.js";
import { findPinRefusal } from "../slots/nodeslots.js";
import type { Pool } from "../slots/pool.js";
import { SlotGroups, widthOf } from "../slots/slotgroups.js";
import { isConnected, isShortOfMemory, type SlotState } from "../slots/slotstate.js";
import { hasEnded, type InFlightAttempt, type InFlightAttempts } from "./inflight.js";
import { isWorthwhile, type PlannedRecomputation, planRecomputations } from "./recomputeplan.js";

/** A chunk is split only if it still needs this many seconds and this many times its overhead. */
const MIN_SPLIT_SECONDS = 2;
const MIN_SPLIT_OVERHEADS = 3;
/** On a slot without measurements, a chunk is overdue after this many times the average duration. */
const OVERDUE_FACTOR = 2;
/** The longest and the shortest time between two checks while slots are idle. */
const MAX_CHECK_INTERVAL_SECONDS = 1;
const MIN_CHECK_INTERVAL_SECONDS = 0.25;

/** A program may need this long, or twice its overhead if that is known, until it can announce that it can be split. */
const PROGRAM_LOAD_SECONDS = 5;
const MIN_LOAD_SECONDS = 1;
/** How often the units of a running chunk are given out a second time. */
const MAX_RECOMPUTATIONS = 2;

/** A speculative copy of a chunk on an idle slot. */
export interface SpeculativeCopy {
  original: InFlightAttempt;
  slot: SlotState;
}

export interface StragglerActions {
  instructions: Instruction[];
  copies: SpeculativeCopy[];
  recomputations: PlannedRecomputation[];
}

interface Straggler {
  attempt: InFlightAttempt;
  /** The expected seconds until it ends. */
  secondsLeft: number;
}

/**
 * Finds work for idle slots when no chunk waits: takes over what is queued behind another slot's chunk, splits the slowest
 * chunk if its program can be split, or computes it a second time if that would end clearly sooner: in pieces, or as a speculative
 * copy (as MapReduce's backup tasks). Does nothing before the duration of chunks is known.
 */
export class StragglerPolicy {
  private readonly groups: SlotGroups;
  private lastCheck = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly attempts: InFlightAttempts,
    private readonly rates: Rates,
    private readonly costs: CostModel,
    private readonly deadlines: Deadlines,
  ) {
    this.groups = new SlotGroups(pool);
  }

  findWork(now: number): StragglerActions {
    const actions: StragglerActions = { instructions: [], copies: [], recomputations: [] };
    if (this.pool.freeSlots.findIdle(1).length === 0) return actions;
    if (now < this.lastCheck + MIN_CHECK_INTERVAL_SECONDS) {
      actions.instructions.push({ do: "wake", at: this.lastCheck + MIN_CHECK_INTERVAL_SECONDS });
      return actions;
    }
    this.lastCheck = now;
    actions.instructions.push({ do: "wake", at: now + MAX_CHECK_INTERVAL_SECONDS });
    const slowest = this.listStragglers(now).sort((a, b) => b.secondsLeft - a.secondsLeft);
    const idle = this.pool.freeSlots.findIdle(slowest.length);
    for (const one of slowest) {
      if (this.isRecomputable(one.attempt)) continue;
      const at = idle.findIndex((slot) => this.canTake(one.attempt, slot, now));
      if (at >= 0 && this.helpStraggler(one, idle[at]!, now, actions)) idle.splice(at, 1);
      if (idle.length === 0) break;
    }
    if (idle.length > 0) actions.recomputations = this.planRecomputations(slowest, actions, now);
    return actions;
  }

  /**
   * Whether an idle slot may take over (a part of) the chunk: one that waits for memory must go to a node that has some. A chunk for
   * several GPUs only leaves its queue for as many idle ones.
   */
  private canTake(inFlight: InFlightAttempt, slot: SlotState, now: number): boolean {
    const { attempt, slots: own, phase } = inFlight;
    const width = widthOf(attempt.chunk);
    const isMemoryShort = own.some((one) => one.isMemoryShort);
    const hasMemory = (one: SlotState) => !isMemoryShort || !isShortOfMemory(one.home);
    const isRunningRange = phase === "running" && this.job.kind === "range" && isSplittable(inFlight);
    const isCutToFit = isRunningRange || (phase === "queued" && this.deadlines.isDivisible(attempt.chunk));
    const endsInTime = (one: SlotState) =>
      isCutToFit ? this.deadlines.admits(one, now) : this.deadlines.fits(requestOf(inFlight), one, now);
    const fits = (one: SlotState) => hasMemory(one) && endsInTime(one);
    if (width > 1) return phase === "queued" && this.groups.findIdle(width, fits) !== undefined;
    return findPinRefusal(attempt.chunk, slot) === undefined && fits(slot);
  }

  /** Chooses what an idle slot does for a straggler; false = nothing. */
  private helpStraggler(
    { attempt: inFlight, secondsLeft }: Straggler,
    slot: SlotState,
    now: number,
    actions: StragglerActions,
  ): boolean {
    const { attempt } = inFlight;
    if (attempt.chunk.firstResult !== undefined) return false;
    if (inFlight.isSplitPending) return true;
    if (inFlight.speculativeCopy !== undefined) return false;
    if (inFlight.phase === "queued") {
      inFlight.isWithdrawn = true;
      actions.instructions.push({ do: "withdraw", node: attempt.node, ids: [attempt.id] });
      return true;
    }
    if (countAgentDeaths(inFlight.history) > 0) return false;
    if (secondsLeft < Math.max(MIN_SPLIT_SECONDS, MIN_SPLIT_OVERHEADS * this.rates.overhead.seconds)) return false;
    if (this.job.kind === "range" && inFlight.isDivisible) {
      inFlight.isSplitPending = true;
      actions.instructions.push({
        do: "split",
        node: attempt.node,
        id: attempt.id,
        share: splitShare(inFlight, secondsLeft, now, slot),
      });
      return true;
    }
    const there = this.mayComputeTwice(inFlight) ? this.estimateSeconds(inFlight, slot, now) : undefined;
    if (there === undefined || !isWorthwhile(secondsLeft, there)) return false;
    actions.copies.push({ original: inFlight, slot });
    return true;
  }

  /** Plans which running chunks the slots that are still idle compute again. `actions`: what other idle slots do. */
  private planRecomputations(
    slowest: readonly Straggler[],
    actions: StragglerActions,
    now: number,
  ): PlannedRecomputation[] {
    const candidates = slowest
      .filter(({ attempt, secondsLeft }) => this.isRecomputable(attempt) && secondsLeft < Number.POSITIVE_INFINITY)
      .map((one) => ({ ...one, units: this.costs.estimate(one.attempt.attempt.chunk)! }));
    if (candidates.length === 0) return [];
    const taken = new Set(actions.copies.map(({ slot }) => slot));
    let idle = this.pool.freeSlots
      .findIdle(this.pool.usableSlots)
      .filter((slot) => !taken.has(slot) && slot.rateEstimate.evidence > 0)
      .map((slot) => ({ slot, rate: slot.rateEstimate.rate! }));
    for (;;) {
      const planned = planRecomputations(candidates, idle, this.rates.overhead.seconds, this.job.sizing!.min);
      const ending = this.listEndingBefore(planned, now);
      if (ending.size === 0) return planned;
      idle = idle.filter(({ slot }) => !ending.has(slot));
    }
  }

  /** Returns the slots whose nodes end before their pieces would. */
  private listEndingBefore(planned: readonly PlannedRecomputation[], now: number): Set<SlotState> {
    const pieces = this.deadlines.isUsed ? planned.flatMap((one) => one.pieces) : [];
    const ending = pieces.filter(
      ({ slot, start, end }) => !this.deadlines.fits({ chunk: this.job.chunk(start, end) }, slot, now),
    );
    return new Set(ending.map(({ slot }) => slot));
  }

  /** Whether idle slots may compute the units of an attempt again in pieces: it cannot be split, or its node is not connected. */
  private isRecomputable(inFlight: InFlightAttempt): boolean {
    const { attempt, phase, history, slot } = inFlight;
    if (isConnected(slot.home) && (phase !== "running" || isSplittable(inFlight))) return false;
    if (
      widthOf(attempt.chunk) > 1 ||
      attempt.chunk.firstResult !== undefined ||
      attempt.chunk.gpu !== undefined ||
      inFlight.isExclusive
    )
      return false;
    if (inFlight.speculativeCopy !== undefined || history.length > 0) return false;
    if (inFlight.recomputationCount >= MAX_RECOMPUTATIONS || !this.mayComputeTwice(inFlight)) return false;
    const { sizing, kind } = this.job;
    return kind === "range" && sizing !== undefined && sizing.min !== sizing.max;
  }

  /** Whether two attempts of a chunk may run: not where both would write into the same directory of a node, or have its state. */
  private mayComputeTwice({ attempt: { chunk } }: InFlightAttempt): boolean {
    if (chunk.spec.state !== undefined) return false;
    return this.job.directory === undefined || (chunk.spec.outputs.length === 0 && chunk.spec.found === undefined);
  }

  /** Lists the attempts with a known remaining time, and the queued ones that could leave their slot. */
  private listStragglers(now: number): Straggler[] {
    const before = new Map<SlotState, number>();
    const all: Straggler[] = [];
    for (const inFlight of this.attempts.values()) {
      if (hasEnded(inFlight) || inFlight.recomputation !== undefined) continue;
      const { slot, phase } = inFlight;
      const left =
        phase === "queued" && isConnected(slot.home)
          ? queueWaitSeconds(inFlight, before.get(slot))
          : this.estimateSecondsLeft(inFlight, now);
      before.set(slot, before.get(slot) ?? left ?? 0);
      if (left === undefined || inFlight.isWithdrawn) continue;
      if (!isConnected(slot.home) && !this.isRecomputable(inFlight)) continue;
      all.push({ attempt: inFlight, secondsLeft: left });
    }
    return all;
  }

  /**
   * Returns the seconds that a running attempt still needs; an overdue one is expected to need as long again as it is late, and a node
   * that is not connected to stay away as long again as it has been away.
   */
  private estimateSecondsLeft(inFlight: InFlightAttempt, now: number): number | undefined {
    const elapsed = now - inFlight.since;
    const secondsAway = now - (inFlight.slot.home.disconnectedAt ?? now);
    const total = this.estimateSeconds(inFlight, inFlight.slot, now);
    if (total !== undefined) return Math.max(total - elapsed, elapsed - total, secondsAway);
    const usual = this.averageSeconds(inFlight);
    return usual !== undefined && elapsed > OVERDUE_FACTOR * usual ? elapsed : undefined;
  }

  /** Returns the seconds that the chunk would take on an average slot; undefined before any chunk has ended. */
  private averageSeconds({ attempt }: InFlightAttempt): number | undefined {
    const { rate, usableSlots } = this.pool;
    const length = this.costs.estimate(attempt.chunk);
    if (rate === undefined || length === undefined || this.rates.seconds === undefined) return undefined;
    return this.rates.overhead.seconds + length / (rate / usableSlots);
  }

  /** Returns the total seconds of a running attempt's chunk on a slot; undefined if the slot has no measurement. */
  private estimateSeconds(inFlight: InFlightAttempt, { rateEstimate }: SlotState, now: number): number | undefined {
    if (rateEstimate.rate === undefined || rateEstimate.evidence === 0) return undefined;
    const length = this.costs.estimateAfter(inFlight.attempt.chunk, this.estimateProgress(inFlight, now));
    return length === undefined ? undefined : this.rates.overhead.seconds + length / rateEstimate.rate;
  }

  /** Returns the cost that a running attempt has completed, if it runs at its slot's rate. */
  private estimateProgress({ slot, since }: InFlightAttempt, now: number): number {
    return Math.max(0, now - since - this.rates.overhead.seconds) * (slot.rateEstimate.rate ?? 0);
  }
}

function requestOf({ attempt: { chunk }, longestRunSeconds }: InFlightAttempt): SlotRequest {
  return { chunk, longestRunSeconds };
}

function isSplittable({ isDivisible, isSplitPending }: InFlightAttempt): boolean {
  return isDivisible || isSplitPending;
}

/** Returns the seconds that a queued attempt waits for its predecessor; undefined if that is no reason to move it. */
function queueWaitSeconds({ slots }: InFlightAttempt, before: number | undefined): number | undefined {
  if (slots.some((slot) => slot.holder !== undefined || slot.isMemoryShort)) return Number.POSITIVE_INFINITY;
  return before !== undefined && before >= MIN_SPLIT_SECONDS ? before : undefined;
}

/** Returns the share of the remaining units that the other slot takes over, so that both end together. */
function splitShare({ attempt, since }: InFlightAttempt, left: number, now: number, slot: SlotState): number {
  const here = Number(attempt.chunk.end - attempt.chunk.start) / (now - since + left);
  const there = slot.rateEstimate.rate;
  return there === undefined || slot.rateEstimate.evidence === 0 ? 0.5 : there / (here + there);
}

/** Whether to ask an attempt to split again later, after the answer that its chunk ends at `end`. */
export function canSplitAgain(
  { attempt, since }: InFlightAttempt,
  end: bigint | undefined,
  now: number,
  overhead: OverheadEstimate,
): boolean {
  const loading = overhead.isKnown ? Math.max(MIN_LOAD_SECONDS, 2 * overhead.seconds) : PROGRAM_LOAD_SECONDS;
  return end === undefined ? now - since < loading : end < attempt.chunk.end;
}

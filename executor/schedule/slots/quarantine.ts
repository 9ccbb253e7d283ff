import type { Chunk } from "../../job/job.js";
import type { Instruction } from "../events.js";
import { Heap, type HeapItem } from "./heap.js";
import type { Pool } from "./pool.js";
import { type SlotState, slotKey } from "./slotstate.js";

/** Chunks that fail one after the other on a slot, while others succeed elsewhere, before it is taken for ill. */
const FAILURES_TO_TRIP = 3;
/** Seconds before a slot that was taken out is tried again; doubles with every try that fails. */
const FIRST_QUARANTINE_SECONDS = 60;
const MAX_QUARANTINE_SECONDS = 1800;
/** A chunk is given up after so many times its tries, whoever was to blame. */
const MAX_FAILURES_PER_TRY = 3;

/** A failure of a chunk; `forgiven`: it was the slot's fault. */
export interface FailureRecord {
  node: string;
  slot: string;
  forgiven: boolean;
  /** It was no failure of the program: the agent that ran it died. It uses up a try and counts against no slot. */
  agentDied?: true;
  /** Whether it ran alone on its node then. */
  wasExclusive?: boolean;
}

/** What a chunk has been through, from try to try. */
export type AttemptHistory = FailureRecord[];

interface ConsecutiveFailure {
  chunk: Chunk;
  history: AttemptHistory;
  record: FailureRecord;
  /** Chunks that had succeeded anywhere by then. */
  successes: number;
}

/** How a slot does. One object a slot for the whole run, however often its node comes and goes. */
export interface SlotHealth extends HeapItem {
  node: string;
  slot: number;
  /** The chunks that failed here since one succeeded. */
  failures: ConsecutiveFailure[];
  /** Why it is out of use, and until when; undefined = it is not. */
  quarantine?: { reason: string; until: number };
  /** Why its GPU should get no work; `lasting`: nobody should wait for it. */
  sick?: { reason: string; lasting: boolean };
  /** Whether it is back for one chunk, to see whether it is well. */
  isHalfOpen: boolean;
  /** Times in a row that it was taken out. */
  trips: number;
}

/**
 * Whose fault a failure is. A chunk that fails on two nodes (on two slots, where there is one node) is at fault itself; a
 * slot on which different chunks fail in a row while others succeed elsewhere is taken out, those failures are forgiven, and
 * it gets one chunk later on to see whether it is well. The last slot that could take these chunks is never taken out.
 */
export class QuarantineTracker {
  private readonly quarantined = new Heap<SlotHealth>((a, b) => a.quarantine!.until < b.quarantine!.until);
  private successes = 0;

  constructor(
    private readonly pool: Pool,
    private readonly maxTries: number,
  ) {}

  /** A chunk ended well on a slot. */
  recordSuccess(state: SlotState): Instruction[] {
    const { node, slot, health } = state;
    this.successes++;
    if (health.failures.length > 0) health.failures = [];
    if (!health.isHalfOpen) return [];
    health.isHalfOpen = false;
    health.trips = 0;
    this.pool.changed(state);
    return [{ do: "release", node, slot }];
  }

  /** A chunk failed on a slot; what it has been through is noted in `history`. */
  recordFailure(
    node: string,
    slot: number,
    chunk: Chunk,
    history: AttemptHistory,
    reason: string,
    now: number,
  ): Instruction[] {
    const setback = { node, slot: slotKey(node, slot), forgiven: false };
    const health = this.pool.health(node, slot);
    const again = health.failures.some((strike) => strike.history === history);
    history.push(setback);
    if (health.quarantine !== undefined || health.sick !== undefined) {
      setback.forgiven = true;
      return [];
    }
    if (this.isChunkAtFault(history)) this.clearFailures(history);
    else if (!again) health.failures.push({ chunk, history, record: setback, successes: this.successes });
    if (!this.shouldTrip(health)) return [];
    return this.trip(health, reason, now);
  }

  /** Whether a chunk has used up its tries. */
  isExhausted(history: AttemptHistory): boolean {
    return countTries(history) >= this.maxTries || history.length >= MAX_FAILURES_PER_TRY * this.maxTries;
  }

  /** Lets slots that have rested long enough have one chunk; all of them when no other slot is left. */
  releaseDue(now: number): void {
    for (let next = this.quarantined.peek(); next !== undefined; next = this.quarantined.peek()) {
      if (next.quarantine!.until > now && this.pool.usableSlots > 0) return;
      this.quarantined.delete(next);
      next.quarantine = undefined;
      next.isHalfOpen = true;
      this.pool.changed(this.pool.slot(next.node, next.slot));
    }
  }

  /** When the next slot has rested. */
  nextReleaseAt(): number | undefined {
    return this.quarantined.peek()?.quarantine?.until;
  }

  private isChunkAtFault(history: AttemptHistory): boolean {
    const counted = history.filter((setback) => !setback.forgiven && !setback.agentDied);
    const places = this.pool.nodes.size > 1 ? counted.map((one) => one.node) : counted.map((one) => one.slot);
    return new Set(places).size > 1;
  }

  private clearFailures(history: AttemptHistory): void {
    for (const { node, slot } of history) {
      const health = this.pool.health(node, Number(slot.slice(slot.lastIndexOf("/") + 1)));
      health.failures = health.failures.filter((strike) => strike.history !== history);
    }
  }

  private shouldTrip({ node, slot, failures: strikes, isHalfOpen: probing }: SlotHealth): boolean {
    const state = this.pool.slot(node, slot);
    if (state === undefined || strikes.length < (probing ? 1 : FAILURES_TO_TRIP)) return false;
    if (!probing && strikes[0]!.successes === this.successes) return false;
    return strikes.every(({ chunk }) => this.pool.hasOtherSlot(state, chunk.gpu));
  }

  private trip(health: SlotHealth, failure: string, now: number): Instruction[] {
    const { node, slot, failures: strikes } = health;
    for (const { record: setback } of strikes) setback.forgiven = true;
    const rest = Math.min(MAX_QUARANTINE_SECONDS, FIRST_QUARANTINE_SECONDS * 2 ** health.trips++);
    const what = health.isHalfOpen
      ? "it failed again"
      : `${strikes.length} chunks in a row failed here while others succeed`;
    const reason = `${what} (the last: ${failure})`;
    health.failures = [];
    health.isHalfOpen = false;
    health.quarantine = { reason, until: now + rest };
    this.quarantined.put(health);
    this.pool.changed(this.pool.slot(node, slot));
    return [{ do: "quarantine", node, slot, reason, seconds: rest }];
  }
}

/** Tries that a chunk has used up. */
export function countTries(history: AttemptHistory): number {
  return history.filter((setback) => !setback.forgiven).length;
}

/** Whether a chunk should not go to a slot: it failed on that node, or on that slot, and another could take it. */
export function shouldAvoid(history: AttemptHistory, chunk: Chunk, slot: SlotState, pool: Pool): boolean {
  if (history.length === 0) return false;
  const slots = new Set(history.map((setback) => setback.slot));
  const nodes = new Set(history.map((setback) => setback.node));
  if (nodes.has(slot.node) && pool.hasNodeOutside(nodes, chunk.gpu)) return true;
  return slots.has(slot.key) && pool.hasSlotOutside(slots, chunk.gpu);
}

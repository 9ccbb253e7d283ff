import type { Chunk } from "../../job/job.js";
import type { Instruction } from "../events.js";
import { Heap, type HeapItem } from "./heap.js";
import type { Pool } from "./pool.js";
import { type SlotState, slotKey } from "./slotstate.js";

/**
 * The circuit breaker of a slot trips after this many consecutive failures of different chunks, if other slots succeed
 * meanwhile.
 */
const FAILURES_TO_TRIP = 3;
/** The first quarantine of a slot lasts this long; each further one in a row lasts twice as long. */
const FIRST_QUARANTINE_SECONDS = 60;
const MAX_QUARANTINE_SECONDS = 1800;
/** A chunk is given up after this many failures for each of its tries, even if slots caused them. */
const MAX_FAILURES_PER_TRY = 3;

/** A failed attempt of a chunk. `forgiven`: the slot caused it, so it uses up no try. */
export interface FailureRecord {
  node: string;
  slot: string;
  forgiven: boolean;
  /** The agent that ran the attempt died. It uses up a try of the chunk and does not count against the slot. */
  agentDied?: true;
  /** Whether it had its node to itself. */
  wasExclusive?: boolean;
}

/** The failed attempts of a chunk, oldest first. Every attempt of a chunk shares one array. */
export type AttemptHistory = FailureRecord[];

interface ConsecutiveFailure {
  chunk: Chunk;
  history: AttemptHistory;
  record: FailureRecord;
  /** The number of chunks that had succeeded on any slot by then. */
  successes: number;
}

/** The state of a slot's circuit breaker. The object lives as long as the run, however often its node leaves and joins. */
export interface SlotHealth extends HeapItem {
  node: string;
  slot: number;
  /** The failures since the last success here. */
  failures: ConsecutiveFailure[];
  /** Why the breaker is open, and until when (seconds); undefined = it is not open. */
  quarantine?: { reason: string; until: number };
  /** Why its GPU gets no work. `lasting`: do not wait for it to recover. */
  sick?: { reason: string; lasting: boolean };
  /** Whether the breaker is half-open: one chunk tests the slot. */
  isHalfOpen: boolean;
  /** How often in a row the breaker has tripped. */
  trips: number;
}

/**
 * Decides whether a chunk or a slot is at fault when a chunk fails, and quarantines slots with a circuit breaker (Nygard,
 * "Release It!"). A chunk that fails on two nodes (on two slots, if there is one node) is itself at fault. A slot on which
 * different chunks fail in a row while others succeed elsewhere is quarantined; those failures are forgiven, and after a
 * while one chunk tests the slot. The last slot that could run these chunks is never quarantined.
 */
export class QuarantineTracker {
  private readonly quarantined = new Heap<SlotHealth>((a, b) => a.quarantine!.until < b.quarantine!.until);
  private successes = 0;

  constructor(
    private readonly pool: Pool,
    private readonly maxTries: number,
  ) {}

  /** Records a success on a slot. Returns `release` if it was the test of a half-open breaker. */
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

  /** Records a failure on a slot and appends it to `history`. Returns `quarantine` if the breaker trips. */
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

  /** Lets each slot whose quarantine is over run one chunk; all quarantined slots if no other slot is usable. */
  releaseDue(now: number): void {
    for (let next = this.quarantined.peek(); next !== undefined; next = this.quarantined.peek()) {
      if (next.quarantine!.until > now && this.pool.usableSlots > 0) return;
      this.quarantined.delete(next);
      next.quarantine = undefined;
      next.isHalfOpen = true;
      this.pool.changed(this.pool.slot(next.node, next.slot));
    }
  }

  /** When the next quarantine ends (seconds); undefined = no slot is quarantined. */
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

  private shouldTrip({ node, slot, failures, isHalfOpen }: SlotHealth): boolean {
    const state = this.pool.slot(node, slot);
    if (state === undefined || failures.length < (isHalfOpen ? 1 : FAILURES_TO_TRIP)) return false;
    if (!isHalfOpen && failures[0]!.successes === this.successes) return false;
    return failures.every(({ chunk }) => this.pool.hasOtherSlot(state, chunk.gpu));
  }

  private trip(health: SlotHealth, failure: string, now: number): Instruction[] {
    const { node, slot, failures } = health;
    for (const { record } of failures) record.forgiven = true;
    const rest = Math.min(MAX_QUARANTINE_SECONDS, FIRST_QUARANTINE_SECONDS * 2 ** health.trips++);
    const what = health.isHalfOpen
      ? "the test chunk failed"
      : `${failures.length} chunks in a row failed here while others succeed`;
    const reason = `${what} (last failure: ${failure})`;
    health.failures = [];
    health.isHalfOpen = false;
    health.quarantine = { reason, until: now + rest };
    this.quarantined.put(health);
    this.pool.changed(this.pool.slot(node, slot));
    return [{ do: "quarantine", node, slot, reason, seconds: rest }];
  }
}

/** Returns how many tries a chunk has used up. */
export function countTries(history: AttemptHistory): number {
  return history.filter((setback) => !setback.forgiven).length;
}

/** Whether a chunk should not go to a slot: it failed on that node or slot, and another one could run it. */
export function shouldAvoid(history: AttemptHistory, chunk: Chunk, slot: SlotState, pool: Pool): boolean {
  if (history.length === 0) return false;
  const slots = new Set(history.map((setback) => setback.slot));
  const nodes = new Set(history.map((setback) => setback.node));
  if (nodes.has(slot.node) && pool.hasNodeOutside(nodes, chunk.gpu)) return true;
  return slots.has(slot.key) && pool.hasSlotOutside(slots, chunk.gpu);
}

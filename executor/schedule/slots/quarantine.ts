import type { Chunk } from "../../job/job.js";
import type { Attempt, Instruction } from "../events.js";
import { Heap, type HeapItem } from "./heap.js";
import { hardwareOf, hasNodeOutside, hasOtherSlot, hasSlotOutside } from "./otherslots.js";
import type { Pool } from "./pool.js";
import { hasGroup, widthOf } from "./slotgroups.js";
import { slotNumbersOf } from "./slotnumbers.js";
import { type SlotHealth, type SlotState, slotKey } from "./slotstate.js";

/**
 * The circuit breaker of a slot trips after this many consecutive failures of different chunks, if other slots succeed
 * meanwhile.
 */
const FAILURES_TO_TRIP = 3;
/** The first quarantine of a slot lasts this long; each further one in a row lasts twice as long. */
const FIRST_QUARANTINE_SECONDS = 60;
const MAX_QUARANTINE_SECONDS = 1800;
/** How often in a row the slots of a node are quarantined at once before failures there count again: after half an hour in all. */
const MAX_NODE_TRIPS = 5;
/** A chunk is given up after this many failures for each of its tries, even if slots caused them. */
const MAX_FAILURES_PER_TRY = 3;

/** A failed attempt of a chunk. `forgiven`: the slot caused it, so it uses up no try. */
export interface FailureRecord {
  node: string;
  slot: string;
  forgiven: boolean;
  /** The agent that ran the attempt died. It uses up a try of the chunk and does not count against the slot. */
  agentDied?: true;
  /** Whether it had its node to itself; recorded only if the agent died. */
  wasExclusive?: boolean;
  /** Its node ended before it did. It uses up a try of the chunk and does not count against the slot. */
  wasCutOff?: true;
  /** It was cut off after as much time as any node of the run offers: no further attempt can succeed. */
  wasHopeless?: true;
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

/** The circuit breaker of a slot. It lives as long as the run, however often its node leaves and joins. */
interface CircuitBreaker extends HeapItem {
  readonly health: SlotHealth;
  /** The failures since the last success on the slot. */
  failures: ConsecutiveFailure[];
  /** How often in a row it has tripped. */
  trips: number;
  /** It is open because nothing can run on the node, so that it is no use to close it early where no other slot is left. */
  isOfNode?: boolean;
}

/**
 * Decides whether a chunk or a slot is at fault when a chunk fails, and quarantines slots with a circuit breaker (Nygard,
 * "Release It!"). A chunk that fails on two nodes (on two slots, if there is one node) is itself at fault. A slot on which
 * different chunks fail in a row while others succeed elsewhere is quarantined; those failures are forgiven, and after a
 * while one chunk tests the slot. The last slot that could run these chunks is never quarantined.
 */
export class QuarantineTracker {
  private readonly breakers = new Map<SlotHealth, CircuitBreaker>();
  private readonly open = new Heap<CircuitBreaker>((a, b) => untilOf(a) < untilOf(b));
  private successes = 0;

  constructor(
    private readonly pool: Pool,
    private readonly maxTries: number,
  ) {}

  /** Records a success on a slot. Returns `release` if it was the test of a half-open breaker. */
  recordSuccess({ node, slot, health }: SlotState): Instruction[] {
    this.successes++;
    const breaker = this.breakers.get(health);
    if (breaker === undefined) return [];
    if (breaker.failures.length > 0) breaker.failures = [];
    if (!health.isHalfOpen) return [];
    breaker.trips = 0;
    this.pool.setHalfOpen(health, false);
    return [{ do: "release", node, slot }];
  }

  /**
   * Records a failure on the slots of an attempt and appends it to `history`. Of several slots each is suspected: a success on one of
   * them clears that. Returns `quarantine` for each whose breaker trips.
   */
  recordFailure(attempt: Attempt, history: AttemptHistory, reason: string, now: number): Instruction[] {
    const { node, slot, chunk } = attempt;
    const record = { node, slot: slotKey(node, slot), forgiven: false };
    const breakers = slotNumbersOf(attempt).map((number) => this.breakerOf(this.pool.health(node, number)));
    const uncounted = breakers.filter(({ failures }) => !failures.some((failure) => failure.history === history));
    history.push(record);
    if (breakers.some(({ health }) => health.quarantine !== undefined || health.sick !== undefined)) {
      record.forgiven = true;
      return [];
    }
    if (this.isChunkAtFault(history)) this.clearFailures(history);
    else for (const { failures } of uncounted) failures.push({ chunk, history, record, successes: this.successes });
    return breakers.flatMap((breaker) => (this.shouldTrip(breaker) ? this.trip(breaker, reason, now) : []));
  }

  /**
   * Quarantines all slots of a node on which nothing can succeed for now, for the same time. Returns `quarantine` for each that was
   * in use. Failures there are forgiven until then. After MAX_NODE_TRIPS in a row it does nothing: nobody makes room.
   */
  quarantineNode(node: string, reason: string, now: number): Instruction[] {
    const out: Instruction[] = [];
    for (const { health } of this.pool.nodes.get(node)?.slots ?? []) {
      const breaker = this.breakerOf(health);
      if (health.quarantine !== undefined || health.sick !== undefined || breaker.trips >= MAX_NODE_TRIPS) continue;
      breaker.failures = [];
      out.push(this.openBreaker(breaker, reason, now, true));
    }
    return out;
  }

  /** Whether a chunk has used up its tries. */
  isExhausted(history: AttemptHistory): boolean {
    return countTries(history) >= this.maxTries || history.length >= MAX_FAILURES_PER_TRY * this.maxTries;
  }

  /** Lets each slot whose quarantine is over run one chunk; all quarantined slots if no other slot is usable. */
  releaseDue(now: number): void {
    for (let next = this.open.peek(); next !== undefined; next = this.open.peek()) {
      if (untilOf(next) > now && (this.pool.usableSlots > 0 || next.isOfNode === true)) return;
      this.open.delete(next);
      this.pool.setHalfOpen(next.health, true);
    }
  }

  /** When the next quarantine ends (seconds); undefined = no slot is quarantined. */
  nextReleaseAt(): number | undefined {
    return this.open.peek()?.health.quarantine?.until;
  }

  private breakerOf(health: SlotHealth): CircuitBreaker {
    let breaker = this.breakers.get(health);
    if (breaker === undefined) {
      breaker = { health, failures: [], trips: 0 };
      this.breakers.set(health, breaker);
    }
    return breaker;
  }

  private isChunkAtFault(history: AttemptHistory): boolean {
    const counted = history.filter((record) => !record.forgiven && !record.agentDied && !record.wasCutOff);
    const isSingle = this.pool.nodes.size <= 1;
    const places = counted.map(({ node, slot }) => (isSingle ? hardwareOf(this.pool, slot) : node));
    return new Set(places).size > 1;
  }

  private clearFailures(history: AttemptHistory): void {
    for (const breaker of this.breakers.values())
      breaker.failures = breaker.failures.filter((failure) => failure.history !== history);
  }

  private shouldTrip({ health: { node, slot, isHalfOpen }, failures }: CircuitBreaker): boolean {
    const state = this.pool.slot(node, slot);
    if (state === undefined || failures.length < (isHalfOpen ? 1 : FAILURES_TO_TRIP)) return false;
    if (!isHalfOpen && failures[0]!.successes === this.successes) return false;
    return failures.every(({ chunk }) => {
      const width = widthOf(chunk);
      return width === 1 ? hasOtherSlot(this.pool, state, chunk.gpu) : hasGroup(this.pool, width, state);
    });
  }

  private trip(breaker: CircuitBreaker, lastFailure: string, now: number): Instruction[] {
    const { failures, health } = breaker;
    for (const { record } of failures) record.forgiven = true;
    const what = health.isHalfOpen
      ? "the test chunk failed"
      : `${failures.length} chunks in a row failed here while others succeed`;
    const reason = `${what} (last failure: ${lastFailure})`;
    breaker.failures = [];
    return [this.openBreaker(breaker, reason, now, false)];
  }

  private openBreaker(breaker: CircuitBreaker, reason: string, now: number, isOfNode: boolean): Instruction {
    const { node, slot } = breaker.health;
    const seconds = Math.min(MAX_QUARANTINE_SECONDS, FIRST_QUARANTINE_SECONDS * 2 ** breaker.trips++);
    breaker.isOfNode = isOfNode;
    this.pool.setQuarantine(breaker.health, { reason, until: now + seconds });
    this.open.put(breaker);
    return { do: "quarantine", node, slot, reason, seconds };
  }
}

function untilOf({ health }: CircuitBreaker): number {
  return health.quarantine!.until;
}

/** Returns how many tries a chunk has used up. */
export function countTries(history: AttemptHistory): number {
  return history.filter((record) => !record.forgiven).length;
}

/** Whether a chunk should not go to a slot: it failed on that node, or on that slot or GPU, and another one could run it. */
export function shouldAvoid(history: AttemptHistory, chunk: Chunk, slot: SlotState, pool: Pool): boolean {
  if (history.length === 0) return false;
  const nodes = new Set(history.map((record) => record.node));
  if (nodes.has(slot.node) && hasNodeOutside(pool, nodes, chunk.gpu)) return true;
  const slots = history.map((record) => record.slot);
  const own = hardwareOf(pool, slot.key);
  return slots.some((key) => hardwareOf(pool, key) === own) && hasSlotOutside(pool, slots, chunk.gpu);
}

import type { Chunk } from "../../job/job.js";
import type { Instruction } from "../events.js";
import { Heap, type Ranked } from "./heap.js";
import type { Pool } from "./pool.js";
import { type SlotState, slotKey } from "./slot.js";

/** Chunks that fail one after the other on a slot, while others succeed elsewhere, before it is taken for ill. */
const STRIKES = 3;
/** Seconds before a slot that was taken out is tried again; doubles with every try that fails. */
const REST = 60;
const LONGEST_REST = 1800;
/** A chunk is given up after so many times its tries, whoever was to blame. */
const PATIENCE = 3;

/** A failure of a chunk; `forgiven`: it was the slot's fault. */
export interface Setback {
  node: string;
  slot: string;
  forgiven: boolean;
  /** It was no failure of the program: the agent that ran it died. It uses up a try and counts against no slot. */
  agentDied?: true;
  /** Whether it ran alone on its node then. */
  alone?: boolean;
}

/** What a chunk has been through, from try to try. */
export type History = Setback[];

interface Strike {
  chunk: Chunk;
  history: History;
  setback: Setback;
  /** Chunks that had succeeded anywhere by then. */
  successes: number;
}

/** How a slot does. One object a slot for the whole run, however often its node comes and goes. */
export interface Health extends Ranked {
  node: string;
  slot: number;
  /** The chunks that failed here since one succeeded. */
  strikes: Strike[];
  /** Why it is out of use, and until when; undefined = it is not. */
  quarantine?: { reason: string; until: number };
  /** Why its GPU should get no work; `lasting`: nobody should wait for it. */
  sick?: { reason: string; lasting: boolean };
  /** Whether it is back for one chunk, to see whether it is well. */
  probing: boolean;
  /** Times in a row that it was taken out. */
  rests: number;
}

/**
 * Whose fault a failure is. A chunk that fails on two nodes (on two slots, where there is one node) is at fault itself; a
 * slot on which different chunks fail in a row while others succeed elsewhere is taken out, those failures are forgiven, and
 * it gets one chunk later on to see whether it is well. The last slot that could take these chunks is never taken out.
 */
export class Blame {
  private readonly resting = new Heap<Health>((a, b) => a.quarantine!.until < b.quarantine!.until);
  private successes = 0;

  constructor(
    private readonly pool: Pool,
    private readonly tries: number,
  ) {}

  /** A chunk ended well on a slot. */
  succeeded(state: SlotState): Instruction[] {
    const { node, slot, health } = state;
    this.successes++;
    if (health.strikes.length > 0) health.strikes = [];
    if (!health.probing) return [];
    health.probing = false;
    health.rests = 0;
    this.pool.changed(state);
    return [{ do: "trust", node, slot }];
  }

  /** A chunk failed on a slot; what it has been through is noted in `history`. */
  failed(node: string, slot: number, chunk: Chunk, history: History, reason: string, now: number): Instruction[] {
    const setback = { node, slot: slotKey(node, slot), forgiven: false };
    const health = this.pool.health(node, slot);
    const again = health.strikes.some((strike) => strike.history === history);
    history.push(setback);
    if (health.quarantine !== undefined || health.sick !== undefined) {
      setback.forgiven = true;
      return [];
    }
    if (this.isAtFault(history)) this.exonerate(history);
    else if (!again) health.strikes.push({ chunk, history, setback, successes: this.successes });
    if (!this.isSick(health)) return [];
    return this.takeOut(health, reason, now);
  }

  /** Whether a chunk has used up its tries. */
  isOver(history: History): boolean {
    return tries(history) >= this.tries || history.length >= PATIENCE * this.tries;
  }

  /** Lets slots that have rested long enough have one chunk; all of them when no other slot is left. */
  wake(now: number): void {
    for (let next = this.resting.peek(); next !== undefined; next = this.resting.peek()) {
      if (next.quarantine!.until > now && this.pool.usableSlots > 0) return;
      this.resting.delete(next);
      next.quarantine = undefined;
      next.probing = true;
      this.pool.changed(this.pool.slot(next.node, next.slot));
    }
  }

  /** When the next slot has rested. */
  next(): number | undefined {
    return this.resting.peek()?.quarantine?.until;
  }

  private isAtFault(history: History): boolean {
    const counted = history.filter((setback) => !setback.forgiven && !setback.agentDied);
    const places = this.pool.nodes.size > 1 ? counted.map((one) => one.node) : counted.map((one) => one.slot);
    return new Set(places).size > 1;
  }

  private exonerate(history: History): void {
    for (const { node, slot } of history) {
      const health = this.pool.health(node, Number(slot.slice(slot.lastIndexOf("/") + 1)));
      health.strikes = health.strikes.filter((strike) => strike.history !== history);
    }
  }

  private isSick({ node, slot, strikes, probing }: Health): boolean {
    const state = this.pool.slot(node, slot);
    if (state === undefined || strikes.length < (probing ? 1 : STRIKES)) return false;
    if (!probing && strikes[0]!.successes === this.successes) return false;
    return strikes.every(({ chunk }) => this.pool.hasOther(state, chunk.gpu));
  }

  private takeOut(health: Health, failure: string, now: number): Instruction[] {
    const { node, slot, strikes } = health;
    for (const { setback } of strikes) setback.forgiven = true;
    const rest = Math.min(LONGEST_REST, REST * 2 ** health.rests++);
    const what = health.probing
      ? "it failed again"
      : `${strikes.length} chunks in a row failed here while others succeed`;
    const reason = `${what} (the last: ${failure})`;
    health.strikes = [];
    health.probing = false;
    health.quarantine = { reason, until: now + rest };
    this.resting.put(health);
    this.pool.changed(this.pool.slot(node, slot));
    return [{ do: "distrust", node, slot, reason, seconds: rest }];
  }
}

/** Tries that a chunk has used up. */
export function tries(history: History): number {
  return history.filter((setback) => !setback.forgiven).length;
}

/** Whether a chunk should not go to a slot: it failed on that node, or on that slot, and another could take it. */
export function avoids(history: History, chunk: Chunk, slot: SlotState, pool: Pool): boolean {
  if (history.length === 0) return false;
  const slots = new Set(history.map((setback) => setback.slot));
  const nodes = new Set(history.map((setback) => setback.node));
  if (nodes.has(slot.node) && pool.hasBeyond(nodes, chunk.gpu)) return true;
  return slots.has(slot.key) && pool.hasBesides(slots, chunk.gpu);
}

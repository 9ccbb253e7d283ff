import type { History } from "./blame.js";
import type { Attempt } from "./events.js";
import type { Pool } from "./pool.js";

/** An attempt between its start and the commit of its result: on its node, or with its result on the way here. */
export interface Underway {
  attempt: Attempt;
  history: History;
  phase: "queued" | "running" | "collecting";
  /** It was asked to leave its slot if it does not run yet. */
  leaving: boolean;
}

/** The attempts that are this coordinator's concern, counted where they are. */
export class Attempts {
  private readonly byId = new Map<string, Underway>();

  constructor(private readonly pool: Pool) {}

  get size(): number {
    return this.byId.size;
  }

  get(id: string): Underway | undefined {
    return this.byId.get(id);
  }

  /** Those on a node that have not ended. */
  on(node: string): Underway[] {
    return [...this.byId.values()].filter(({ attempt, phase }) => attempt.node === node && phase !== "collecting");
  }

  onSlot(node: string, slot: number, phase: Underway["phase"]): Underway[] {
    return this.on(node).filter((one) => one.attempt.slot === slot && one.phase === phase);
  }

  add(attempt: Attempt, history: History, phase: "queued" | "running"): void {
    this.byId.set(attempt.id, { attempt, history, phase, leaving: false });
    this.load(attempt, 1);
  }

  /** Its program runs. */
  started(id: string): void {
    const underway = this.byId.get(id);
    if (underway?.phase === "queued") underway.phase = "running";
  }

  /** Its slot is new, for its node has joined again. */
  reload(attempt: Attempt): void {
    this.load(attempt, 1);
  }

  /** It ended well, and its result is to be taken in; false where that is no news. */
  collect(id: string): boolean {
    const underway = this.byId.get(id);
    if (underway === undefined || underway.phase === "collecting") return false;
    this.load(underway.attempt, -1);
    underway.phase = "collecting";
    this.pool.collect(underway.attempt.node, 1);
    return true;
  }

  /** Its result could not be taken in: it is as if it had not ended. */
  uncollect(id: string): void {
    const underway = this.byId.get(id);
    if (underway?.phase !== "collecting") return;
    this.pool.collect(underway.attempt.node, -1);
    underway.phase = "running";
    this.load(underway.attempt, 1);
  }

  /** Lets go of it, whatever it was at. */
  release(id: string): Underway | undefined {
    const underway = this.byId.get(id);
    if (underway === undefined) return undefined;
    this.byId.delete(id);
    if (underway.phase === "collecting") this.pool.collect(underway.attempt.node, -1);
    else this.load(underway.attempt, -1);
    return underway;
  }

  /** Lets go of it where its node has joined again without it. */
  forget(id: string): void {
    this.byId.delete(id);
  }

  private load(attempt: Attempt, by: 1 | -1): void {
    const slot = this.pool.slot(attempt.node, attempt.slot);
    if (slot !== undefined) this.pool.load(slot, by);
  }
}

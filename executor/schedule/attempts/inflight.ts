import type { Attempt } from "../events.js";
import type { Pool } from "../slots/pool.js";
import type { AttemptHistory } from "../slots/quarantine.js";
import type { SlotState } from "../slots/slotstate.js";

/**
 * An attempt between its start and the commit of its result: queued or running on its node, being collected, or `held`: collected, and
 * kept until it is decided whether its result is needed.
 */
export interface InFlightAttempt {
  attempt: Attempt;
  /** The first of `slots`. */
  slot: SlotState;
  /** All slots that it takes. */
  slots: readonly SlotState[];
  history: AttemptHistory;
  phase: "queued" | "running" | "collecting" | "held";
  /** Whether it was asked to leave its slot before it runs. */
  isWithdrawn: boolean;
  /** When it was started on the node, or (once it runs) when its program began. */
  since: number;
  /** Another attempt of the same chunk; the first result is taken. */
  speculativeCopy?: InFlightAttempt;
  /** The recomputation that it takes part in, as the original or as a piece. */
  recomputation?: Recomputation;
  /** How often its units were given out a second time. */
  recomputationCount: number;
  /** The attempts that got its units when it left: what is learned of it later counts for them, too. */
  heirs: readonly InFlightAttempt[];
  /** Whether its units are in other hands, so that nothing follows from its end. */
  isSuperseded: boolean;
  /** Whether it was asked to split and has not answered. */
  isSplitPending: boolean;
  /** Whether its program may be able to split. */
  isDivisible: boolean;
  /** Whether it has its node to itself until it ends. */
  isExclusive: boolean;
  /** The run of higher priority for which it is being ended. */
  preemptedBy?: string;
  /** The longest that an attempt at the chunk has run on a node that then ended, in seconds. */
  longestRunSeconds?: number;
}

/** A running chunk whose units idle slots compute a second time, in pieces that cover it exactly. */
export interface Recomputation {
  readonly original: InFlightAttempt;
  readonly pieces: readonly InFlightAttempt[];
}

/** The properties of a new attempt. */
export type NewAttempt = Pick<
  InFlightAttempt,
  "attempt" | "slots" | "history" | "since" | "isExclusive" | "longestRunSeconds"
> & {
  phase: "queued" | "running";
};

/** The attempts in flight, counted in the pool where they are. */
export class InFlightAttempts {
  private readonly byId = new Map<string, InFlightAttempt>();
  /** The attempts that were left behind on lost nodes, until these join again. */
  private readonly leftBehind = new Map<string, InFlightAttempt>();

  constructor(private readonly pool: Pool) {}

  get size(): number {
    return this.byId.size;
  }

  get(id: string): InFlightAttempt | undefined {
    return this.byId.get(id);
  }

  /** Returns the attempts on a node that have not ended. */
  listOnNode(node: string): InFlightAttempt[] {
    if (!this.pool.nodes.has(node)) return [];
    return [...this.byId.values()].filter((one) => one.attempt.node === node && !hasEnded(one));
  }

  listOnSlot(node: string, slot: number, phase: InFlightAttempt["phase"]): InFlightAttempt[] {
    return this.listOnNode(node).filter((one) => one.slots.some((own) => own.slot === slot) && one.phase === phase);
  }

  values(): Iterable<InFlightAttempt> {
    return this.byId.values();
  }

  add(added: NewAttempt): InFlightAttempt {
    const isNew = {
      isWithdrawn: false,
      isSplitPending: false,
      isDivisible: added.attempt.chunk.spec.state === undefined,
      isSuperseded: false,
    };
    const slot = added.slots[0]!;
    const inFlight: InFlightAttempt = { ...added, slot, ...isNew, recomputationCount: 0, heirs: [] };
    this.byId.set(added.attempt.id, inFlight);
    this.pool.assign(added.slots, added.attempt.chunk, added.since);
    if (added.isExclusive) this.pool.setReserved(slot.home, true);
    return inFlight;
  }

  /** Records that the program of a queued attempt has added. */
  markStarted(id: string, now: number): void {
    const inFlight = this.byId.get(id);
    if (inFlight?.phase !== "queued") return;
    inFlight.phase = "running";
    inFlight.since = now;
    inFlight.isWithdrawn = false;
  }

  /** Records that an attempt is being ended for a run of higher priority. */
  markPreempted(id: string, run: string): void {
    const inFlight = this.byId.get(id);
    if (inFlight !== undefined) inFlight.preemptedBy = run;
  }

  /** Counts an attempt again whose node has rejoined with it. */
  restoreLoad({ slots, attempt, since }: InFlightAttempt): void {
    this.pool.assign(slots, attempt.chunk, since);
  }

  /** Marks an attempt as succeeded with its result to be collected; false if it was marked before or is not in flight. */
  startCollecting(id: string): boolean {
    const inFlight = this.byId.get(id);
    if (inFlight === undefined || hasEnded(inFlight)) return false;
    this.pool.changeLoad(inFlight.slots, -1);
    this.freeNode(inFlight);
    inFlight.isExclusive = false;
    inFlight.phase = "collecting";
    this.pool.changeCollecting(inFlight.slot.home, 1);
    return true;
  }

  /** Marks an attempt as running again because its result could not be collected. */
  undoCollecting(id: string): void {
    const inFlight = this.byId.get(id);
    if (inFlight?.phase !== "collecting") return;
    this.pool.changeCollecting(inFlight.slot.home, -1);
    inFlight.phase = "running";
    this.pool.changeLoad(inFlight.slots, 1);
  }

  /** Marks an attempt whose result was collected as held; false if it is not being collected. */
  startHolding(id: string): boolean {
    return this.changePhase(id, "collecting", "held");
  }

  /** Marks a held attempt as being collected, until it is committed; false if it is not held. */
  stopHolding(id: string): boolean {
    return this.changePhase(id, "held", "collecting");
  }

  private changePhase(id: string, from: "collecting" | "held", to: "collecting" | "held"): boolean {
    const inFlight = this.byId.get(id);
    if (inFlight?.phase !== from) return false;
    inFlight.phase = to;
    this.pool.changeCollecting(inFlight.slot.home, to === "collecting" ? 1 : -1);
    return true;
  }

  /** Removes an attempt in any phase and returns it; its `speculativeCopy` says whether another attempt continues. */
  release(id: string): InFlightAttempt | undefined {
    const inFlight = this.byId.get(id);
    if (inFlight === undefined) return undefined;
    this.forget(id);
    if (inFlight.phase === "collecting") this.pool.changeCollecting(inFlight.slot.home, -1);
    else if (inFlight.phase !== "held") this.pool.changeLoad(inFlight.slots, -1);
    return inFlight;
  }

  /** Removes an attempt without changing its slot's load: its node has rejoined without it. */
  forget(id: string): void {
    const inFlight = this.byId.get(id);
    if (inFlight === undefined) return;
    if (inFlight.speculativeCopy !== undefined) inFlight.speculativeCopy.speculativeCopy = undefined;
    this.freeNode(inFlight);
    this.byId.delete(id);
  }

  /** Removes an attempt of a lost node and remembers it: the node may come back with it. */
  leaveBehind(id: string): InFlightAttempt | undefined {
    const inFlight = this.release(id);
    if (inFlight !== undefined) this.leftBehind.set(id, inFlight);
    return inFlight;
  }

  /** Removes and returns the attempts left behind on a node that rejoins, by id. */
  takeLeftBehind(node: string): Map<string, InFlightAttempt> {
    const there = [...this.leftBehind].filter(([, { attempt }]) => attempt.node === node);
    for (const [id] of there) this.leftBehind.delete(id);
    return new Map(there);
  }

  /** Ends the reservation of the node of an exclusive attempt. */
  private freeNode({ isExclusive, slot }: InFlightAttempt): void {
    if (isExclusive) this.pool.setReserved(slot.home, false);
  }
}

/** Whether an attempt has ended on its node: what happens there is of no consequence for it. */
export function hasEnded({ phase }: InFlightAttempt): boolean {
  return phase === "collecting" || phase === "held";
}

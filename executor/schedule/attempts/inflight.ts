import type { Attempt } from "../events.js";
import type { Pool } from "../slots/pool.js";
import type { AttemptHistory } from "../slots/quarantine.js";
import type { SlotState } from "../slots/slotstate.js";

/** An attempt between its start and the commit of its result: on its node, or with its result on the way here. */
export interface InFlightAttempt {
  attempt: Attempt;
  slot: SlotState;
  history: AttemptHistory;
  phase: "queued" | "running" | "collecting";
  /** It was asked to leave its slot if it does not run yet. */
  isWithdrawn: boolean;
  /** When it was given out, or (once it runs) began to run. */
  since: number;
  /** Another attempt of the same chunk: the first result is taken. */
  speculativeCopy?: InFlightAttempt;
  /** It was asked to give a part of its chunk away, and has not answered. */
  isSplitPending: boolean;
  /** Whether its script may be able to give a part away. */
  isDivisible: boolean;
  /** It has its node to itself, until it has ended. */
  isExclusive: boolean;
}

/** What an attempt is known by when it begins to count. */
export type NewAttempt = Pick<InFlightAttempt, "attempt" | "slot" | "history" | "since" | "isExclusive"> & {
  phase: "queued" | "running";
};

/** The attempts that are this coordinator's concern, counted where they are. */
export class InFlightAttempts {
  private readonly byId = new Map<string, InFlightAttempt>();
  /** Those that were given up while their nodes were silent, until these join again. */
  private readonly leftBehind = new Map<string, InFlightAttempt>();

  constructor(private readonly pool: Pool) {}

  get size(): number {
    return this.byId.size;
  }

  get(id: string): InFlightAttempt | undefined {
    return this.byId.get(id);
  }

  /** Those on a node that have not ended. */
  listOnNode(node: string): InFlightAttempt[] {
    if (!this.pool.nodes.has(node)) return [];
    return [...this.byId.values()].filter(({ attempt, phase }) => attempt.node === node && phase !== "collecting");
  }

  listOnSlot(node: string, slot: number, phase: InFlightAttempt["phase"]): InFlightAttempt[] {
    return this.listOnNode(node).filter((one) => one.attempt.slot === slot && one.phase === phase);
  }

  values(): Iterable<InFlightAttempt> {
    return this.byId.values();
  }

  add(begun: NewAttempt): InFlightAttempt {
    const underway = { ...begun, isWithdrawn: false, isSplitPending: false, isDivisible: true };
    this.byId.set(begun.attempt.id, underway);
    this.pool.changeLoad(begun.slot, 1);
    if (begun.isExclusive) this.pool.setReserved(begun.slot.home, true);
    return underway;
  }

  /** Its program runs. */
  markStarted(id: string, now: number): void {
    const underway = this.byId.get(id);
    if (underway?.phase !== "queued") return;
    underway.phase = "running";
    underway.since = now;
    underway.isWithdrawn = false;
  }

  /** Its node has joined again, and still has it. */
  restoreLoad({ slot }: InFlightAttempt): void {
    this.pool.changeLoad(slot, 1);
  }

  /** It ended well, and its result is to be taken in; false where that is no news. */
  startCollecting(id: string): boolean {
    const underway = this.byId.get(id);
    if (underway === undefined || underway.phase === "collecting") return false;
    this.pool.changeLoad(underway.slot, -1);
    this.freeNode(underway);
    underway.isExclusive = false;
    underway.phase = "collecting";
    this.pool.changeCollecting(underway.slot.home, 1);
    return true;
  }

  /** Its result could not be taken in: it is as if it had not ended. */
  undoCollecting(id: string): void {
    const underway = this.byId.get(id);
    if (underway?.phase !== "collecting") return;
    this.pool.changeCollecting(underway.slot.home, -1);
    underway.phase = "running";
    this.pool.changeLoad(underway.slot, 1);
  }

  /** Lets go of it, whatever it was at. What it answers still says whether there is a `twin`, which goes on alone. */
  release(id: string): InFlightAttempt | undefined {
    const underway = this.byId.get(id);
    if (underway === undefined) return undefined;
    this.forget(id);
    if (underway.phase === "collecting") this.pool.changeCollecting(underway.slot.home, -1);
    else this.pool.changeLoad(underway.slot, -1);
    return underway;
  }

  /** Lets go of it where its node has joined again without it. */
  forget(id: string): void {
    const underway = this.byId.get(id);
    if (underway === undefined) return;
    if (underway.speculativeCopy !== undefined) underway.speculativeCopy.speculativeCopy = undefined;
    this.freeNode(underway);
    this.byId.delete(id);
  }

  /** Lets go of it while its node is silent, and remembers it: the node may yet say what came of it. */
  leaveBehind(id: string): InFlightAttempt | undefined {
    const underway = this.release(id);
    if (underway !== undefined) this.leftBehind.set(id, underway);
    return underway;
  }

  /** Takes out what was left on a node that joins again, by attempt id. */
  takeLeftBehind(node: string): Map<string, InFlightAttempt> {
    const there = [...this.leftBehind].filter(([, { attempt }]) => attempt.node === node);
    for (const [id] of there) this.leftBehind.delete(id);
    return new Map(there);
  }

  /** Where it ran alone, others may have its node now. */
  private freeNode({ isExclusive: alone, slot }: InFlightAttempt): void {
    if (alone) this.pool.setReserved(slot.home, false);
  }
}

import type { Attempt } from "../events.js";
import type { History } from "../slots/blame.js";
import type { Pool } from "../slots/pool.js";
import type { SlotState } from "../slots/slot.js";

/** An attempt between its start and the commit of its result: on its node, or with its result on the way here. */
export interface Underway {
  attempt: Attempt;
  slot: SlotState;
  history: History;
  phase: "queued" | "running" | "collecting";
  /** It was asked to leave its slot if it does not run yet. */
  leaving: boolean;
  /** When it was given out, or (once it runs) began to run. */
  since: number;
  /** Another attempt of the same chunk: the first result is taken. */
  twin?: Underway;
  /** It was asked to give a part of its chunk away, and has not answered. */
  asked: boolean;
  /** Whether its script may be able to give a part away. */
  divisible: boolean;
  /** It has its node to itself, until it has ended. */
  alone: boolean;
}

/** What an attempt is known by when it begins to count. */
export type Begun = Pick<Underway, "attempt" | "slot" | "history" | "since" | "alone"> & {
  phase: "queued" | "running";
};

/** The attempts that are this coordinator's concern, counted where they are. */
export class Attempts {
  private readonly byId = new Map<string, Underway>();
  /** Those that were given up while their nodes were silent, until these join again. */
  private readonly left = new Map<string, Underway>();

  constructor(private readonly pool: Pool) {}

  get size(): number {
    return this.byId.size;
  }

  get(id: string): Underway | undefined {
    return this.byId.get(id);
  }

  /** Those on a node that have not ended. */
  on(node: string): Underway[] {
    if (!this.pool.nodes.has(node)) return [];
    return [...this.byId.values()].filter(({ attempt, phase }) => attempt.node === node && phase !== "collecting");
  }

  onSlot(node: string, slot: number, phase: Underway["phase"]): Underway[] {
    return this.on(node).filter((one) => one.attempt.slot === slot && one.phase === phase);
  }

  values(): Iterable<Underway> {
    return this.byId.values();
  }

  add(begun: Begun): Underway {
    const underway = { ...begun, leaving: false, asked: false, divisible: true };
    this.byId.set(begun.attempt.id, underway);
    this.pool.load(begun.slot, 1);
    if (begun.alone) this.pool.reserve(begun.slot.home, true);
    return underway;
  }

  /** Its program runs. */
  started(id: string, now: number): void {
    const underway = this.byId.get(id);
    if (underway?.phase !== "queued") return;
    underway.phase = "running";
    underway.since = now;
    underway.leaving = false;
  }

  /** Its node has joined again, and still has it. */
  reload({ slot }: Underway): void {
    this.pool.load(slot, 1);
  }

  /** It ended well, and its result is to be taken in; false where that is no news. */
  collect(id: string): boolean {
    const underway = this.byId.get(id);
    if (underway === undefined || underway.phase === "collecting") return false;
    this.pool.load(underway.slot, -1);
    this.freeNode(underway);
    underway.alone = false;
    underway.phase = "collecting";
    this.pool.collect(underway.slot.home, 1);
    return true;
  }

  /** Its result could not be taken in: it is as if it had not ended. */
  uncollect(id: string): void {
    const underway = this.byId.get(id);
    if (underway?.phase !== "collecting") return;
    this.pool.collect(underway.slot.home, -1);
    underway.phase = "running";
    this.pool.load(underway.slot, 1);
  }

  /** Lets go of it, whatever it was at. What it answers still says whether there is a `twin`, which goes on alone. */
  release(id: string): Underway | undefined {
    const underway = this.byId.get(id);
    if (underway === undefined) return undefined;
    this.forget(id);
    if (underway.phase === "collecting") this.pool.collect(underway.slot.home, -1);
    else this.pool.load(underway.slot, -1);
    return underway;
  }

  /** Lets go of it where its node has joined again without it. */
  forget(id: string): void {
    const underway = this.byId.get(id);
    if (underway === undefined) return;
    if (underway.twin !== undefined) underway.twin.twin = undefined;
    this.freeNode(underway);
    this.byId.delete(id);
  }

  /** Lets go of it while its node is silent, and remembers it: the node may yet say what came of it. */
  leave(id: string): Underway | undefined {
    const underway = this.release(id);
    if (underway !== undefined) this.left.set(id, underway);
    return underway;
  }

  /** Takes out what was left on a node that joins again, by attempt id. */
  takeLeft(node: string): Map<string, Underway> {
    const there = [...this.left].filter(([, { attempt }]) => attempt.node === node);
    for (const [id] of there) this.left.delete(id);
    return new Map(there);
  }

  /** Where it ran alone, others may have its node now. */
  private freeNode({ alone, slot }: Underway): void {
    if (alone) this.pool.reserve(slot.home, false);
  }
}

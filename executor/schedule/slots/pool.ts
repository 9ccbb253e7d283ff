import type { Chunk } from "../../job/job.js";
import type { Slot } from "../events.js";
import type { CostModel } from "../rates/costmodel.js";
import type { Rates } from "../rates/rates.js";
import { FreeSlots } from "./freeslots.js";
import { RateHistogram } from "./ratehistogram.js";
import {
  createScheduledNode,
  createSlotState,
  isFull,
  isUsable,
  listSharers,
  rateKey,
  type ScheduledNode,
  type SlotHealth,
  type SlotState,
  slotKey,
} from "./slotstate.js";
import { UsableCount } from "./usablecount.js";
import { WorkInProgress } from "./workinprogress.js";

/** Only the pool may write what everybody else may read. */
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * All known nodes and slots, and the order in which slots get chunks. Aggregates are updated one slot at a time, so an
 * event costs the same with 26 slots and with 8,000. Only this class changes the state of a slot.
 */
export class Pool {
  private readonly nodesByName = new Map<string, Mutable<ScheduledNode>>();
  readonly freeSlots = new FreeSlots();
  /** The rates of the usable slots. */
  readonly rateHistogram = new RateHistogram();
  /** What busy slots still have to complete. */
  readonly workInProgress = new WorkInProgress();
  private readonly healths = new Map<string, Mutable<SlotHealth>>();
  /** Every slot that has ever joined, by its key. */
  private readonly slots = new Map<string, Mutable<SlotState>>();
  /** How many chunks a slot may hold, the running one included. */
  private depth = 1;
  /** Whether slots get one chunk each, because none has succeeded. */
  private isInTrial = false;
  readonly usable = new UsableCount();

  constructor(
    private readonly rates: Rates,
    private readonly costs: CostModel,
  ) {}

  get nodes(): ReadonlyMap<string, ScheduledNode> {
    return this.nodesByName;
  }

  /** Adds a node, or replaces the slots of one that joins again; slots that it no longer has stay unusable. */
  joinNode(name: string, slots: readonly Slot[], limit: number, deadline?: number): void {
    const node: Mutable<ScheduledNode> =
      this.nodesByName.get(name) ?? createScheduledNode(name, this.nodes.size, limit);
    this.nodesByName.set(name, node);
    for (const slot of node.slots) this.setBroken(slot, "its node rejoined without it");
    node.disconnectedAt = undefined;
    node.deadline = deadline;
    node.maxConcurrent = limit;
    node.surplusLoad = 0;
    node.slots = slots.map((slot) => this.updateSlot(node, slot));
    for (const slot of node.slots) this.refresh(slot);
  }

  slot(node: string, slot: number): SlotState | undefined {
    const slots = this.nodes.get(node)?.slots;
    return slots?.[slot]?.slot === slot ? slots[slot] : slots?.find((state) => state.slot === slot);
  }

  /** Notes that the connection to a node dropped, until it joins again. */
  disconnectNode(name: string, now: number): void {
    const node = this.nodesByName.get(name);
    if (node === undefined) return;
    node.disconnectedAt ??= now;
    for (const slot of node.slots) this.refresh(slot);
  }

  /** Reserves a node for one chunk that runs exclusively, or ends the reservation. */
  setReserved(node: ScheduledNode, isReserved: boolean): void {
    writable(node).isReserved = isReserved;
    for (const slot of node.slots) this.updateFreeSlots(slot);
  }

  /** Holds an idle or busy slot for a chunk that needs several, or ends that: it gets no other work. */
  setHeld(slot: SlotState, isHeld: boolean): void {
    writable(slot).isHeld = isHeld;
    this.updateFreeSlots(slot);
  }

  /** Notes which other run holds the slot; undefined = none. */
  setHolder(slot: SlotState, holder: string | undefined): void {
    writable(slot).holder = holder;
    this.refresh(slot);
  }

  /** Marks a slot as unusable until its node joins again with it. */
  setBroken(slot: SlotState, reason: string): void {
    writable(slot).broken = reason;
    this.refresh(slot);
  }

  /** Notes whether the node of a slot ends before any chunk that waits would end there. */
  setEndsTooSoon(slot: SlotState, endsTooSoon: boolean): void {
    if (slot.endsTooSoon === endsTooSoon) return;
    writable(slot).endsTooSoon = endsTooSoon;
    this.refresh(slot);
  }

  /** Notes which slots of a node wait for host memory; no other slot of the node does. */
  setMemoryPressure(name: string, slots: readonly number[]): void {
    for (const slot of this.nodes.get(name)?.slots ?? []) writable(slot).isMemoryShort = slots.includes(slot.slot);
  }

  /** Notes that the GPU of a slot is sick, or its node drained; undefined = no longer. */
  changeHealth(node: string, slot: number, change: Pick<SlotHealth, "sick"> | Pick<SlotHealth, "drained">): void {
    this.setHealth(this.health(node, slot), change);
  }

  /** Opens the circuit breaker of a slot. */
  setQuarantine(health: SlotHealth, quarantine: SlotHealth["quarantine"]): void {
    this.setHealth(health, { quarantine, isHalfOpen: false });
  }

  /** Half-opens the circuit breaker of a slot for one chunk, or closes it. */
  setHalfOpen(health: SlotHealth, isHalfOpen: boolean): void {
    this.setHealth(health, { quarantine: undefined, isHalfOpen });
  }

  /** Learns from a chunk that took a slot `seconds`. */
  recordDuration(slot: SlotState, chunk: Chunk, seconds: number): void {
    this.costs.learn(slot.rateEstimate, chunk, seconds);
    this.refresh(slot);
  }

  /** Counts a chunk that these slots of a node are to run, after those that they have. */
  assign(slots: readonly SlotState[], chunk: Chunk, now: number): void {
    const cost = this.costs.estimate(chunk);
    for (const { key, rateEstimate } of slots)
      if (rateEstimate.rate !== undefined && cost !== undefined) {
        const seconds = this.rates.overhead.seconds + cost / rateEstimate.rate;
        this.workInProgress.add(key, rateEstimate.rate, seconds, now);
      }
    this.changeLoad(slots, 1);
  }

  /** Counts an attempt that was started on these slots of a node, or (`by` = -1) that has left them. */
  changeLoad(slots: readonly SlotState[], by: 1 | -1): void {
    const { home } = slots[0]!;
    const wasFull = isFull(home, this.depth);
    const sharers = listSharers(slots[0]!);
    for (const slot of sharers) this.freeSlots.delete(slot);
    for (const slot of slots) {
      writable(slot).load += by;
      if (slot.load === 0) this.workInProgress.remove(slot.key);
    }
    writable(home).surplusLoad += by * (slots.length - 1);
    for (const slot of wasFull === isFull(home, this.depth) ? [...slots, ...sharers] : home.slots)
      this.updateFreeSlots(slot);
    // Its last chunk may have ended so early that another one fits.
    if (by === -1) for (const slot of slots) this.setEndsTooSoon(slot, false);
  }

  /** Counts a result that is being collected, or (`by` = -1) that no longer is. */
  changeCollecting(node: ScheduledNode, by: 1 | -1): void {
    const wasFull = isFull(node, this.depth);
    writable(node).collectingCount += by;
    if (wasFull !== isFull(node, this.depth)) for (const slot of node.slots) this.updateFreeSlots(slot);
  }

  /** Returns the health of a slot, which may have left with its node. */
  health(node: string, slot: number): SlotHealth {
    const state = this.slot(node, slot);
    if (state !== undefined) return state.health;
    const key = slotKey(node, slot);
    let health = this.healths.get(key);
    if (health === undefined) {
      health = { node, slot, isHalfOpen: false };
      this.healths.set(key, health);
    }
    return health;
  }

  get isTrial(): boolean {
    return this.isInTrial;
  }

  setDepth(depth: number): void {
    const allowed = this.isInTrial ? 1 : depth;
    if (allowed === this.depth) return;
    this.depth = allowed;
    this.updateAllFreeSlots();
  }

  /** Begins a round of the trial, in which a slot gets no chunk after one that failed; or ends the trial. */
  setTrial(isTrial: boolean): void {
    this.isInTrial = isTrial;
    for (const slot of this.slots.values()) writable(slot).hasFailedTrial = false;
    this.updateAllFreeSlots();
  }

  /** Notes that the chunk of a slot has failed in the trial. */
  setFailedTrial(node: string, slot: number): void {
    const state = this.slot(node, slot);
    if (state === undefined || !this.isInTrial) return;
    writable(state).hasFailedTrial = true;
    this.updateFreeSlots(state);
  }

  /** The number of slots, usable or not. */
  get slotCount(): number {
    let count = 0;
    for (const { slots } of this.nodes.values()) count += slots.length;
    return count;
  }

  /** The number of slots that may be given work now or later. */
  get usableSlots(): number {
    return this.usable.total;
  }

  /**
   * The rate of all usable slots together; a slot with an unknown rate counts as the average of the others. undefined = no
   * rate is known.
   */
  get rate(): number | undefined {
    const { count, total } = this.rateHistogram;
    return count === 0 ? undefined : (total * this.usable.total) / count;
  }

  /** Returns how many usable slots could run a chunk with that pin. */
  countUsable(pin: number | undefined): number {
    return this.usable.countFor(pin);
  }

  private updateAllFreeSlots(): void {
    for (const node of this.nodes.values()) for (const slot of node.slots) this.updateFreeSlots(slot);
  }

  /** Returns the state of a slot: one object for the whole run, however often its node leaves and joins. */
  private updateSlot(home: ScheduledNode, slot: Slot): SlotState {
    const key = slotKey(slot.node, slot.slot);
    const known = this.slots.get(key) ?? this.createSlot(home, slot);
    this.slots.set(key, known);
    this.workInProgress.remove(key);
    const isNew = { holder: undefined, broken: undefined, isMemoryShort: false, endsTooSoon: false, load: 0 };
    return Object.assign(known, slot, isNew);
  }

  private createSlot(home: ScheduledNode, slot: Slot): SlotState {
    const rateEstimate = this.rates.estimateFor(rateKey(slot));
    rateEstimate.rate ??= this.costs.guessRate(slot.rate);
    return createSlotState(home, slot, this.health(slot.node, slot.slot), rateEstimate);
  }

  /** Whether a node may run one more chunk, on slots that are idle. */
  hasCapacity(node: ScheduledNode): boolean {
    return !isFull(node, this.depth);
  }

  private setHealth(health: SlotHealth, change: Partial<SlotHealth>): void {
    Object.assign(health, change);
    const slot = this.slot(health.node, health.slot);
    if (slot !== undefined) this.refresh(slot);
  }

  /** Updates the aggregates after any change of a slot or of its node. */
  private refresh(slot: SlotState): void {
    const [usable, wasUsable] = [isUsable(slot), slot.isCountedUsable];
    writable(slot).isCountedUsable = usable;
    if (usable !== wasUsable) this.usable.change(slot, usable ? 1 : -1);
    const rate = usable ? (slot.rateEstimate.rate ?? 0) : 0;
    this.rateHistogram.replaceRate(slot.countedRate, rate);
    writable(slot).countedRate = rate;
    this.updateFreeSlots(slot);
  }

  /** Adds a slot to the free slots, moves it there, or removes it. */
  private updateFreeSlots(slot: SlotState): void {
    if (this.mayTakeWork(slot)) this.freeSlots.put(slot);
    else this.freeSlots.delete(slot);
  }

  /** Whether a slot may be given a chunk now. */
  mayTakeWork(slot: SlotState): boolean {
    return slot.isCountedUsable && this.hasRoom(slot);
  }

  private hasRoom(slot: SlotState): boolean {
    if (slot.home.isReserved || slot.isHeld || slot.hasFailedTrial) return false;
    return slot.load < this.depth && !(slot.health.isHalfOpen && slot.load > 0) && !isFull(slot.home, this.depth);
  }
}

function writable<T>(state: T): Mutable<T> {
  return state;
}

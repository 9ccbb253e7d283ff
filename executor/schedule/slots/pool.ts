import type { Slot } from "../events.js";
import type { Rates } from "../rates/rates.js";
import { FreeSlots } from "./freeslots.js";
import type { SlotHealth } from "./quarantine.js";
import { RateHistogram } from "./ratehistogram.js";
import { isUsable, type NodeState, type SlotState, slotKey } from "./slotstate.js";

/** A node with this many results to collect gets no more work, so that memory stays bounded if the local disk is slow. */
const MAX_COLLECTING_PER_NODE = 256;

/**
 * All known nodes and slots, and the order in which slots get chunks. Aggregates are updated one slot at a time, so an
 * event costs the same with 26 slots and with 8,000. Only this class changes the state of a slot.
 */
export class Pool {
  readonly nodes = new Map<string, NodeState>();
  readonly freeSlots = new FreeSlots();
  /** The rates of the usable slots. */
  readonly rateHistogram = new RateHistogram();
  private readonly healths = new Map<string, SlotHealth>();
  /** Every slot that has ever joined, by its key. */
  private readonly slots = new Map<string, SlotState>();
  /** How many chunks a slot may hold, the running one included. */
  private depth = 1;
  /** The number of usable slots by GPU index. */
  private readonly usableByGpu = new Map<number | undefined, number>();
  private usableCount = 0;

  /** `guessRate`: the rate of a slot that has run nothing, from the rate of its profile. */
  constructor(
    private readonly rates: Rates,
    private readonly guessRate: (rate: number | undefined) => number | undefined,
  ) {}

  joinNode(name: string, slots: Slot[], limit: number): NodeState {
    const node = this.nodes.get(name) ?? this.createNode(name, limit);
    this.nodes.set(name, node);
    for (const slot of node.slots) this.setBroken(slot, "its node rejoined without it");
    Object.assign(node, {
      isConnected: true,
      maxConcurrent: limit,
      slots: slots.map((slot) => this.updateSlot(node, slot)),
    });
    for (const slot of node.slots) this.refresh(slot);
    return node;
  }

  slot(node: string, slot: number): SlotState | undefined {
    const slots = this.nodes.get(node)?.slots;
    return slots?.[slot]?.slot === slot ? slots[slot] : slots?.find((state) => state.slot === slot);
  }

  setConnected(name: string, live: boolean): void {
    const node = this.nodes.get(name);
    if (node === undefined) return;
    node.isConnected = live;
    for (const slot of node.slots) this.refresh(slot);
  }

  /** Reserves a node for one chunk that runs exclusively, or ends the reservation. */
  setReserved(node: NodeState, reserved: boolean): void {
    node.isReserved = reserved;
    for (const slot of node.slots) this.updateFreeSlots(slot);
  }

  /** Notes which other run holds the slot's GPU; undefined = none. */
  setHolder(slot: SlotState, holder: string | undefined): void {
    slot.holder = holder;
    this.refresh(slot);
  }

  /** Marks a slot as unusable until its node joins again with it. */
  setBroken(slot: SlotState, reason: string): void {
    slot.broken = reason;
    this.refresh(slot);
  }

  /** Counts an attempt that was started on a slot, or (`by` = -1) that has left it. */
  changeLoad(slot: SlotState, by: 1 | -1): void {
    const wasFull = this.isFull(slot.home);
    slot.load += by;
    if (wasFull === this.isFull(slot.home)) this.updateFreeSlots(slot);
    else for (const one of slot.home.slots) this.updateFreeSlots(one);
  }

  /** Counts a result that is being collected, or (`by` = -1) that no longer is. */
  changeCollecting(node: NodeState, by: 1 | -1): void {
    const wasFull = this.isFull(node);
    node.collectingCount += by;
    if (wasFull !== this.isFull(node)) for (const slot of node.slots) this.updateFreeSlots(slot);
  }

  changed(slot: SlotState | undefined): void {
    if (slot !== undefined) this.refresh(slot);
  }

  health(node: string, slot: number): SlotHealth {
    const state = this.slot(node, slot);
    if (state !== undefined) return state.health;
    const key = slotKey(node, slot);
    let health = this.healths.get(key);
    if (health === undefined) {
      health = { node, slot, failures: [], isHalfOpen: false, trips: 0 };
      this.healths.set(key, health);
    }
    return health;
  }

  setDepth(depth: number): void {
    if (depth === this.depth) return;
    this.depth = depth;
    for (const node of this.nodes.values()) for (const slot of node.slots) this.updateFreeSlots(slot);
  }

  /** The number of slots, usable or not. */
  get slotCount(): number {
    let count = 0;
    for (const { slots } of this.nodes.values()) count += slots.length;
    return count;
  }

  /** The number of slots that may be given work now or later. */
  get usableSlots(): number {
    return this.usableCount;
  }

  /**
   * The rate of all usable slots together; a slot with an unknown rate counts as the average of the others. undefined = no
   * rate is known.
   */
  get rate(): number | undefined {
    const { count, total } = this.rateHistogram;
    return count === 0 ? undefined : (total * this.usableCount) / count;
  }

  /** Whether another usable slot could run a chunk with that pin. */
  hasOtherSlot(slot: SlotState, pin: number | undefined): boolean {
    return this.countUsableFor(pin) > (isUsable(slot) && fitsPin(pin, slot) ? 1 : 0);
  }

  /** Whether a usable slot outside `slots` (keys) could run a chunk with that pin. */
  hasSlotOutside(slots: Set<string>, pin: number | undefined): boolean {
    return this.hasUsableExcept(
      pin,
      [...slots].flatMap((key) => this.slotByKey(key) ?? []),
    );
  }

  /** Whether a usable slot outside `nodes` could run a chunk with that pin. */
  hasNodeOutside(nodes: Set<string>, pin: number | undefined): boolean {
    return this.hasUsableExcept(
      pin,
      [...nodes].flatMap((node) => this.nodes.get(node)?.slots ?? []),
    );
  }

  private hasUsableExcept(pin: number | undefined, but: SlotState[]): boolean {
    return this.countUsableFor(pin) > but.filter((slot) => isUsable(slot) && fitsPin(pin, slot)).length;
  }

  private countUsableFor(pin: number | undefined): number {
    if (pin === undefined) return this.usableCount;
    return (this.usableByGpu.get(pin) ?? 0) + (this.usableByGpu.get(undefined) ?? 0);
  }

  private slotByKey(key: string): SlotState | undefined {
    const at = key.lastIndexOf("/");
    return this.slot(key.slice(0, at), Number(key.slice(at + 1)));
  }

  private createNode(name: string, limit: number): NodeState {
    return {
      name,
      joinOrder: this.nodes.size,
      isConnected: true,
      maxConcurrent: limit,
      slots: [],
      isReserved: false,
      collectingCount: 0,
    };
  }

  /** Returns the state of a slot: one object for the whole run, however often its node leaves and joins. */
  private updateSlot(home: NodeState, slot: Slot): SlotState {
    const key = slotKey(slot.node, slot.slot);
    const known = this.slots.get(key) ?? this.createSlot(key, home, slot);
    this.slots.set(key, known);
    return Object.assign(known, slot, { holder: undefined, broken: undefined, isMemoryShort: false, load: 0 });
  }

  private createSlot(key: string, home: NodeState, slot: Slot): SlotState {
    const speed = this.rates.estimateFor(key);
    speed.rate ??= this.guessRate(slot.rate);
    const health = this.health(slot.node, slot.slot);
    return {
      ...slot,
      key,
      home,
      isMemoryShort: false,
      health,
      load: 0,
      rateEstimate: speed,
      isCountedUsable: false,
      countedRate: 0,
      heapIndex: undefined,
    };
  }

  /** Whether a node is at its limit of concurrent chunks for this depth, or has too many results to collect. */
  private isFull(node: NodeState): boolean {
    if (node.collectingCount >= MAX_COLLECTING_PER_NODE) return true;
    if (node.maxConcurrent >= node.slots.length) return false;
    const load = node.slots.reduce((sum, slot) => sum + Math.min(slot.load, this.depth), 0);
    return load >= node.maxConcurrent * this.depth;
  }

  /** Updates the aggregates after any change of a slot or of its node. */
  private refresh(slot: SlotState): void {
    const usable = isUsable(slot);
    if (usable !== slot.isCountedUsable) this.countUsable(slot, usable);
    const share = usable ? (slot.rateEstimate.rate ?? 0) : 0;
    this.rateHistogram.replaceRate(slot.countedRate, share);
    slot.countedRate = share;
    this.updateFreeSlots(slot);
  }

  /** Adds a slot to the free slots, moves it there, or removes it. */
  private updateFreeSlots(slot: SlotState): void {
    if (slot.isCountedUsable && this.hasRoom(slot)) this.freeSlots.put(slot);
    else this.freeSlots.delete(slot);
  }

  private hasRoom(slot: SlotState): boolean {
    if (slot.home.isReserved) return false;
    return slot.load < this.depth && !(slot.health.isHalfOpen && slot.load > 0) && !this.isFull(slot.home);
  }

  private countUsable(slot: SlotState, usable: boolean): void {
    const by = usable ? 1 : -1;
    slot.isCountedUsable = usable;
    this.usableCount += by;
    this.usableByGpu.set(slot.gpu, (this.usableByGpu.get(slot.gpu) ?? 0) + by);
  }
}

/** A pinned chunk runs on the GPU with that index on any node; a CPU slot takes any chunk. */
function fitsPin(pin: number | undefined, slot: Slot): boolean {
  return pin === undefined || slot.gpu === undefined || slot.gpu === pin;
}

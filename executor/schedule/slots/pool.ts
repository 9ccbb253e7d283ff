import type { Slot } from "../events.js";
import type { Rates } from "../rates/rates.js";
import type { Health } from "./blame.js";
import { Openings } from "./openings.js";
import { isUsable, type NodeState, type SlotState, slotKey } from "./slot.js";
import { Speeds } from "./speeds.js";

/** Results under way from one node before it is given no more, so that memory stays bounded when the disk here is slow. */
const COLLECTING_LIMIT = 256;

/**
 * The nodes and slots that are known, and which of them should get the next chunk. What is asked for at every event is kept
 * up to date as slots change, one slot at a time, so that an event costs the same on 26 slots and on 8,000.
 */
export class Pool {
  readonly nodes = new Map<string, NodeState>();
  readonly openings = new Openings();
  /** How fast the usable slots are. */
  readonly speeds = new Speeds();
  private readonly healths = new Map<string, Health>();
  /** Every slot that has ever been there, by its key. */
  private readonly slots = new Map<string, SlotState>();
  /** Chunks that a slot may hold, the running one included. */
  private depth = 1;
  /** Usable slots by the GPU that they are. */
  private readonly usable = new Map<number | undefined, number>();
  private total = 0;

  /** `guess`: a slot's rate before anything is known of it but what its profile says. */
  constructor(
    private readonly rates: Rates,
    private readonly guess: (rate: number | undefined) => number | undefined,
  ) {}

  join(name: string, slots: Slot[], limit: number): NodeState {
    const node = this.nodes.get(name) ?? this.newNode(name, limit);
    this.nodes.set(name, node);
    for (const slot of node.slots) this.break(slot, "its node has come back without it");
    Object.assign(node, { live: true, limit, slots: slots.map((slot) => this.slotOf(node, slot)) });
    for (const slot of node.slots) this.place(slot);
    return node;
  }

  slot(node: string, slot: number): SlotState | undefined {
    const slots = this.nodes.get(node)?.slots;
    return slots?.[slot]?.slot === slot ? slots[slot] : slots?.find((state) => state.slot === slot);
  }

  setLive(name: string, live: boolean): void {
    const node = this.nodes.get(name);
    if (node === undefined) return;
    node.live = live;
    for (const slot of node.slots) this.place(slot);
  }

  /** Keeps a node for one chunk that runs alone, or lets it have other work again. */
  reserve(node: NodeState, reserved: boolean): void {
    node.reserved = reserved;
    for (const slot of node.slots) this.lineUp(slot);
  }

  /** `holder`: the other run that has it; undefined = none. */
  hold(slot: SlotState, holder: string | undefined): void {
    slot.holder = holder;
    this.place(slot);
  }

  /** It is of no use any more, unless its node joins again with it. */
  break(slot: SlotState, reason: string): void {
    slot.broken = reason;
    this.place(slot);
  }

  /** Counts an attempt that was given to a slot, or (`by` = -1) that has left it. */
  load(slot: SlotState, by: 1 | -1): void {
    const wasFull = this.isFull(slot.home);
    slot.load += by;
    if (wasFull === this.isFull(slot.home)) this.lineUp(slot);
    else for (const one of slot.home.slots) this.lineUp(one);
  }

  /** Counts a result that is on its way here, or (`by` = -1) that has come. */
  collect(node: NodeState, by: 1 | -1): void {
    const wasFull = this.isFull(node);
    node.collecting += by;
    if (wasFull !== this.isFull(node)) for (const slot of node.slots) this.lineUp(slot);
  }

  /** To be called when something was learned of how fast a slot is, or how well. */
  changed(slot: SlotState | undefined): void {
    if (slot !== undefined) this.place(slot);
  }

  health(node: string, slot: number): Health {
    const state = this.slot(node, slot);
    if (state !== undefined) return state.health;
    const key = slotKey(node, slot);
    let health = this.healths.get(key);
    if (health === undefined) {
      health = { node, slot, strikes: [], probing: false, rests: 0 };
      this.healths.set(key, health);
    }
    return health;
  }

  setDepth(depth: number): void {
    if (depth === this.depth) return;
    this.depth = depth;
    for (const node of this.nodes.values()) for (const slot of node.slots) this.lineUp(slot);
  }

  /** Slots that there are, usable or not. */
  get slotCount(): number {
    let count = 0;
    for (const { slots } of this.nodes.values()) count += slots.length;
    return count;
  }

  /** Slots that may be given work now or after what they have. */
  get usableSlots(): number {
    return this.total;
  }

  /** Units a second of all usable slots; those that nothing is known of count as the average of the others. */
  get rate(): number | undefined {
    const { count, total } = this.speeds;
    return count === 0 ? undefined : (total * this.total) / count;
  }

  /** Whether there is a usable slot other than `slot` for a chunk with that pin. */
  hasOther(slot: SlotState, pin: number | undefined): boolean {
    return this.usableFor(pin) > (isUsable(slot) && fits(pin, slot) ? 1 : 0);
  }

  /** Whether there is a usable slot for that pin that is none of `slots` (keys). */
  hasBesides(slots: Set<string>, pin: number | undefined): boolean {
    return this.hasBut(
      pin,
      [...slots].flatMap((key) => this.byKey(key) ?? []),
    );
  }

  /** Whether there is a usable slot for that pin on none of `nodes`. */
  hasBeyond(nodes: Set<string>, pin: number | undefined): boolean {
    return this.hasBut(
      pin,
      [...nodes].flatMap((node) => this.nodes.get(node)?.slots ?? []),
    );
  }

  private hasBut(pin: number | undefined, but: SlotState[]): boolean {
    return this.usableFor(pin) > but.filter((slot) => isUsable(slot) && fits(pin, slot)).length;
  }

  private usableFor(pin: number | undefined): number {
    if (pin === undefined) return this.total;
    return (this.usable.get(pin) ?? 0) + (this.usable.get(undefined) ?? 0);
  }

  private byKey(key: string): SlotState | undefined {
    const at = key.lastIndexOf("/");
    return this.slot(key.slice(0, at), Number(key.slice(at + 1)));
  }

  private newNode(name: string, limit: number): NodeState {
    return { name, order: this.nodes.size, live: true, limit, slots: [], reserved: false, collecting: 0 };
  }

  /** One object a slot for the whole run, however often its node comes and goes. */
  private slotOf(home: NodeState, slot: Slot): SlotState {
    const key = slotKey(slot.node, slot.slot);
    const known = this.slots.get(key) ?? this.newSlot(key, home, slot);
    this.slots.set(key, known);
    return Object.assign(known, slot, { holder: undefined, broken: undefined, short: false, load: 0 });
  }

  private newSlot(key: string, home: NodeState, slot: Slot): SlotState {
    const speed = this.rates.at(key);
    speed.rate ??= this.guess(slot.rate);
    const health = this.health(slot.node, slot.slot);
    return { ...slot, key, home, short: false, health, load: 0, speed, counted: false, share: 0, place: undefined };
  }

  /** A node that holds all that it may at this depth, or whose results wait to be taken in. */
  private isFull(node: NodeState): boolean {
    if (node.collecting >= COLLECTING_LIMIT) return true;
    if (node.limit >= node.slots.length) return false;
    const load = node.slots.reduce((sum, slot) => sum + Math.min(slot.load, this.depth), 0);
    return load >= node.limit * this.depth;
  }

  /** Brings a slot to where it belongs after any change of it or of its node. */
  private place(slot: SlotState): void {
    const usable = isUsable(slot);
    if (usable !== slot.counted) this.count(slot, usable);
    const share = usable ? (slot.speed.rate ?? 0) : 0;
    this.speeds.change(slot.share, share);
    slot.share = share;
    this.lineUp(slot);
  }

  /** Puts a slot among those that have room, or takes it away from there. */
  private lineUp(slot: SlotState): void {
    if (slot.counted && this.hasRoom(slot)) this.openings.put(slot);
    else this.openings.delete(slot);
  }

  private hasRoom(slot: SlotState): boolean {
    if (slot.home.reserved) return false;
    return slot.load < this.depth && !(slot.health.probing && slot.load > 0) && !this.isFull(slot.home);
  }

  private count(slot: SlotState, usable: boolean): void {
    const by = usable ? 1 : -1;
    slot.counted = usable;
    this.total += by;
    this.usable.set(slot.gpu, (this.usable.get(slot.gpu) ?? 0) + by);
  }
}

/** A chunk pinned to a GPU runs on the GPU of that index of any node; a CPU slot takes any. */
function fits(pin: number | undefined, slot: Slot): boolean {
  return pin === undefined || slot.gpu === undefined || slot.gpu === pin;
}

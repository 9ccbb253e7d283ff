import type { Attempt, Event, Instruction, Slot } from "../../executor/schedule/events.js";
import { type Cluster, findEnd, type TrueSlot } from "./cluster.js";
import { VirtualClock } from "./virtualclock.js";

/** Makes the decisions: muster's Scheduler, or another contestant. */
export interface Decider {
  handle(event: Event, now: number): Instruction[];
}

export interface SimulationModel {
  cluster: Cluster;
  /** The seconds of every chunk before its first unit. */
  overhead: number;
  /** Returns the cost of an attempt in units of a slot's rate, for noise or for tasks that differ. */
  cost: (attempt: Attempt) => number;
  /** Whether workers can split their chunk. */
  divisible: boolean;
  /** The seconds until a disconnected node is lost. */
  grace: number;
}

export interface SimulationResult {
  /** The seconds until the last result was committed. */
  makespan: number;
  attempts: number;
  /** The number of committed units. */
  units: bigint;
  /** The number of calls of `handle`. */
  events: number;
}

interface SimulatedSlot {
  truth: TrueSlot;
  queue: Attempt[];
  /** The running attempt: when it began and will end, and a function that cancels its end. */
  run?: { began: number; end: number; stop: () => void };
}

/** Simulates a run: slots with true rates, nodes that leave and return, and a decider. */
export class Simulation {
  private readonly agenda = new VirtualClock();
  private readonly places = new Map<string, SimulatedSlot>();
  private readonly away = new Set<string>();
  private readonly course: SimulationResult = { makespan: 0, attempts: 0, units: 0n, events: 0 };
  private ended = false;
  private wake: number | undefined;

  constructor(
    private readonly physics: SimulationModel,
    private readonly decider: Decider,
  ) {
    for (const truth of physics.cluster.slots) this.places.set(`${truth.node}/${truth.slot}`, { truth, queue: [] });
  }

  run(): SimulationResult {
    const { slots, outages } = this.physics.cluster;
    this.tell({ type: "dispatchOpened" });
    for (const node of new Set(slots.map((slot) => slot.node))) this.join(node);
    this.tell({ type: "allJoined" });
    for (const { node, from, to } of outages) {
      this.agenda.schedule(from, () => this.leave(node));
      this.agenda.schedule(from + this.physics.grace, () => this.tell({ type: "nodeLost", node }));
      this.agenda.schedule(to, () => this.join(node));
    }
    this.agenda.run(() => this.ended);
    return this.course;
  }

  private join(node: string): void {
    this.away.delete(node);
    const slots: Slot[] = this.physics.cluster.slots
      .filter((slot) => slot.node === node)
      .map(({ slot, guess }) => ({ node, slot, gpu: slot, rate: guess }));
    this.tell({ type: "nodeJoined", node, slots, limit: slots.length, held: [] });
  }

  private leave(node: string): void {
    this.away.add(node);
    for (const place of this.places.values())
      if (place.truth.node === node) {
        place.run?.stop();
        place.run = undefined;
        place.queue = [];
      }
    this.tell({ type: "nodeDisconnected", node });
  }

  private tell(event: Event): void {
    this.course.events++;
    for (const instruction of this.decider.handle(event, this.agenda.now)) this.perform(instruction);
  }

  private perform(instruction: Instruction): void {
    switch (instruction.do) {
      case "start":
        return this.start(instruction.attempt);
      case "wake":
        return this.wakeAt(instruction.at);
      case "drop":
        return this.drop(instruction.id);
      case "withdraw":
        for (const id of instruction.ids) this.withdraw(id);
        return;
      case "split":
        return this.split(instruction.id, instruction.share);
      case "end":
        this.ended = true;
        this.course.makespan = this.agenda.now;
        return;
      case "quarantine":
      case "release":
      case "stuck":
        return;
      default:
        throw new Error(`nothing in this world leads to ${instruction.do}`);
    }
  }

  private wakeAt(time: number): void {
    if (this.wake !== undefined && this.wake <= time) return;
    this.wake = time;
    this.agenda.schedule(time, () => {
      if (this.wake === time) this.wake = undefined;
      this.tell({ type: "tick" });
    });
  }

  private start(attempt: Attempt): void {
    this.course.attempts++;
    const place = this.places.get(`${attempt.node}/${attempt.slot}`)!;
    if (this.away.has(attempt.node)) throw new Error(`${attempt.node} is away`);
    place.queue.push(attempt);
    if (place.queue.length === 1) this.begin(place);
  }

  private begin(place: SimulatedSlot): void {
    const [attempt] = place.queue;
    if (attempt === undefined) return;
    const began = this.agenda.now;
    this.agenda.schedule(began, () => this.tell({ type: "started", attempt: attempt.id }));
    this.endAt(place, attempt, began, findEnd(place.truth, began + this.physics.overhead, this.physics.cost(attempt)));
  }

  private endAt(place: SimulatedSlot, attempt: Attempt, began: number, end: number): void {
    const stop = this.agenda.schedule(end, () => {
      place.queue.shift();
      place.run = undefined;
      this.begin(place);
      this.course.units += attempt.chunk.end - attempt.chunk.start;
      this.tell({ type: "finished", attempt: attempt.id, seconds: end - began });
      this.tell({ type: "committed", attempt: attempt.id });
    });
    place.run = { began, end, stop };
  }

  private withdraw(id: string): void {
    const place = this.placeOf(id);
    const index = place?.queue.findIndex((attempt) => attempt.id === id) ?? 0;
    if (index === 0) return;
    place!.queue.splice(index, 1);
    this.agenda.schedule(this.agenda.now, () => this.tell({ type: "requeued", attempt: id }));
  }

  /** The worker has done its units at an even pace, and keeps its share of the remaining ones. */
  private split(id: string, share: number): void {
    const place = this.placeOf(id);
    const { run, queue } = place!;
    const [attempt] = queue;
    const told = (end: bigint | undefined) =>
      this.agenda.schedule(this.agenda.now, () => this.tell({ type: "split", attempt: id, end }));
    if (!this.physics.divisible || run === undefined || attempt?.id !== id) return void told(undefined);
    const now = this.agenda.now;
    const units = Number(attempt.chunk.end - attempt.chunk.start);
    const done = Math.max(0, (now - run.began - this.physics.overhead) / (run.end - run.began - this.physics.overhead));
    const away = Math.floor(units * (1 - done) * share);
    if (away < 1) return void told(attempt.chunk.end);
    run.stop();
    told(attempt.chunk.end - BigInt(away));
    this.endAt(place!, attempt, run.began, now + (run.end - now) * (1 - share));
  }

  private placeOf(id: string): SimulatedSlot | undefined {
    return [...this.places.values()].find((place) => place.queue.some((attempt) => attempt.id === id));
  }

  private drop(id: string): void {
    const place = this.placeOf(id);
    if (place === undefined) return;
    const index = place.queue.findIndex((attempt) => attempt.id === id);
    place.queue.splice(index, 1);
    if (index > 0) return;
    place.run?.stop();
    place.run = undefined;
    this.begin(place);
  }
}

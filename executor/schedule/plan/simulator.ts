import type { ResultFate } from "../attempts/recomputations.js";
import type { Attempt, Event, Failure, Instruction, RemoteAttempt, Slot } from "../events.js";
import { slotNumbersOf } from "../slots/slotnumbers.js";
import { slotKey } from "../slots/slotstate.js";
import { VirtualClock } from "./virtualclock.js";

/** Makes the decisions of a simulated run: muster's Scheduler, or a contestant of a benchmark. */
export interface Decider {
  handle(event: Event, now: number): Instruction[];
  /** Returns the present state of an attempt, which changes when its chunk is split. */
  attempt?(id: string): Attempt | undefined;
  /** Returns what is to become of the result of an attempt; undefined = all results are committed. */
  fateOf?(id: string): ResultFate;
}

/** The program of a running attempt: when it began and will end, in seconds. */
export interface SimulatedProgram {
  readonly since: number;
  readonly end: number;
}

/** How attempts behave. Without `endOf`, programs run until the caller ends them. */
export interface SimulationModel {
  /** Returns when an attempt that begins at `now` ends; undefined = unknown. */
  endOf?(attempt: Attempt, now: number): number | undefined;
  /** Returns how many of an attempt's seconds its warm worker loads; default 0. */
  loadingOf?(attempt: Attempt): number;
  /** Returns why a program fails at its end; undefined = it succeeds. */
  failureOf?(attempt: Attempt): Failure | undefined;
  /** Returns where the chunk ends after a split, and when its program ends then; undefined = it cannot be split. */
  split?(
    attempt: Attempt,
    share: number,
    program: SimulatedProgram | undefined,
  ): { end: bigint; endsAt: number } | undefined;
  /** Whether an attempt that should be withdrawn has begun meanwhile. */
  beginsBeforeWithdrawal?(attempt: Attempt): boolean;
  /** Called with each instruction before it takes effect. */
  onInstruction?(instruction: Instruction): void;
  /** Called when the result of an attempt is committed. */
  onCommit?(attempt: Attempt): void;
}

/**
 * Runs a decider against simulated nodes on a virtual clock. Each slot runs its attempts one after the other. The same
 * simulator serves `--plan`, the benchmarks, and the scheduler's tests, which end attempts and nodes by hand.
 */
export class Simulator {
  readonly clock = new VirtualClock();
  hasEnded = false;
  /** Attempts on nodes in the order of their start, and the ids on each slot, the running one first. */
  private readonly byId = new Map<string, Attempt>();
  private readonly queues = new Map<string, string[]>();
  private readonly programs = new Map<string, SimulatedProgram & { cancel(): void }>();
  private readonly pending: Event[] = [];
  private isSending = false;
  private wakeAt: number | undefined;

  constructor(
    private readonly decider: Decider,
    private readonly model: SimulationModel = {},
  ) {}

  /** The queued and running attempts, in the order of their start. */
  get attempts(): Attempt[] {
    return [...this.byId.keys()].map((id) => this.attempt(id)!);
  }

  /** Opens a run: all `nodes` join, each with its limit of concurrent chunks. */
  open(nodes: Iterable<{ node: string; slots: readonly Slot[]; limit: number }>): void {
    this.send({ type: "dispatchOpened" });
    for (const node of nodes) this.send({ type: "nodeJoined", ...node, held: [] });
    this.send({ type: "allJoined" });
  }

  /** Advances the clock from event to event until the run ends, nothing is left to happen, or `isOver` returns true. */
  run(isOver: () => boolean = () => false): void {
    this.clock.run(() => this.hasEnded || isOver());
  }

  /** Sends an event to the decider and carries out its instructions. Events sent meanwhile follow in their order. */
  send(event: Event): void {
    this.pending.push(event);
    if (this.isSending) return;
    this.isSending = true;
    try {
      for (let next = this.pending.shift(); next !== undefined; next = this.pending.shift())
        for (const instruction of this.decider.handle(next, this.clock.now)) this.perform(instruction);
    } finally {
      this.isSending = false;
    }
  }

  /** Ends an attempt whose program succeeded after `seconds`. `end`: where its chunk ends, if it was split. */
  finish(id: string, seconds: number, end?: bigint): void {
    const keys = this.remove(id);
    this.send({ type: "finished", attempt: id, seconds, end });
    this.beginFirst(keys);
  }

  /** Ends an attempt whose program failed. */
  fail(id: string, failure: Failure): void {
    const keys = this.remove(id);
    this.send({ type: "failed", attempt: id, failure });
    this.beginFirst(keys);
  }

  /** Puts attempts back on the slots of their node, which still has them. */
  restore(attempts: Iterable<Attempt>): void {
    for (const attempt of attempts) this.add(attempt);
  }

  /** Removes and returns the attempts on a node, without telling the decider. */
  removeFrom(node: string, isRemoved: (attempt: Attempt) => boolean = () => true): Attempt[] {
    const removed = this.attempts.filter((attempt) => attempt.node === node && isRemoved(attempt));
    for (const { id } of removed) this.remove(id);
    return removed;
  }

  /** Returns the first attempt of each slot of a node. */
  firstOfSlots(node: string): Attempt[] {
    return this.attempts.filter((attempt) => attempt.node === node && this.isFirst(attempt));
  }

  private perform(instruction: Instruction): void {
    this.model.onInstruction?.(instruction);
    switch (instruction.do) {
      case "start":
        this.add(instruction.attempt);
        return this.beginFirst(keysOf(instruction.attempt));
      case "drop":
        return this.beginFirst(this.remove(instruction.id));
      case "commit":
        // Without a model of durations the caller commits results, as it ends attempts.
        if (this.model.endOf !== undefined) this.commit(this.attempt(instruction.id)!);
        return;
      case "withdraw":
        for (const id of instruction.ids) this.withdraw(id);
        return;
      case "evict":
        for (const id of instruction.ids) this.requeue(id);
        return;
      case "split":
        return this.split(instruction.id, instruction.share);
      case "wake":
        return this.scheduleTick(instruction.at);
      case "end":
      case "halt":
        this.hasEnded = true;
        return;
      case "stop":
      case "commit-stopped":
      case "quarantine":
      case "release":
      case "stuck":
      case "report-wait":
      case "report-loss":
      case "give-up":
      case "cancel":
      case "skip-recheck":
        return;
      default:
        instruction satisfies never;
    }
  }

  private scheduleTick(at: number): void {
    if (this.wakeAt !== undefined && this.wakeAt <= at) return;
    this.wakeAt = at;
    this.clock.schedule(at, () => {
      if (this.wakeAt === at) this.wakeAt = undefined;
      this.send({ type: "tick" });
    });
  }

  private add(attempt: Attempt): void {
    this.byId.set(attempt.id, attempt);
    for (const key of keysOf(attempt)) {
      const queue = this.queues.get(key);
      if (queue === undefined) this.queues.set(key, [attempt.id]);
      else queue.push(attempt.id);
    }
  }

  /** Removes an attempt and returns the keys of its slots; none if it is not there. */
  private remove(id: string): string[] {
    const attempt = this.byId.get(id);
    if (attempt === undefined) return [];
    const keys = keysOf(attempt);
    for (const key of keys) {
      const queue = this.queues.get(key)!;
      queue.splice(queue.indexOf(id), 1);
    }
    this.byId.delete(id);
    this.programs.get(id)?.cancel();
    this.programs.delete(id);
    return keys;
  }

  /** Whether it is the first on all of its slots. */
  private isFirst(attempt: Attempt): boolean {
    return keysOf(attempt).every((key) => this.queues.get(key)?.[0] === attempt.id);
  }

  private beginFirst(keys: readonly string[]): void {
    for (const key of keys) this.beginFirstOn(key);
  }

  /** Begins the program of the first attempt on a slot, if the model says when it ends. */
  private beginFirstOn(key: string): void {
    const id = this.queues.get(key)?.[0];
    if (id === undefined || this.programs.has(id) || this.model.endOf === undefined) return;
    if (!this.isFirst(this.byId.get(id)!)) return;
    const since = this.clock.now;
    this.send({ type: "started", attempt: id });
    const end = this.model.endOf(this.attempt(id)!, since);
    if (end !== undefined) this.scheduleEnd(id, since, end);
  }

  private scheduleEnd(id: string, since: number, end: number): void {
    const cancel = this.clock.schedule(end, () => {
      const attempt = this.attempt(id)!;
      const failure = this.model.failureOf?.(attempt);
      if (failure !== undefined) return this.fail(id, failure);
      this.finish(id, end - since - (this.model.loadingOf?.(attempt) ?? 0));
      const fate = this.decider.fateOf?.(id) ?? "commit";
      if (fate === "commit") this.commit(attempt);
      else if (fate === "hold") this.send({ type: "held", attempt: id });
    });
    this.programs.set(id, { since, end, cancel });
  }

  private commit(attempt: Attempt): void {
    this.model.onCommit?.(attempt);
    this.send({ type: "committed", attempt: attempt.id });
  }

  private withdraw(id: string): void {
    const attempt = this.byId.get(id);
    if (attempt === undefined || this.programs.has(id)) return;
    if (this.model.beginsBeforeWithdrawal?.(attempt)) this.send({ type: "started", attempt: id });
    else this.requeue(id);
  }

  private requeue(id: string): void {
    const keys = this.remove(id);
    if (keys.length === 0) return;
    this.send({ type: "requeued", attempt: id });
    this.beginFirst(keys);
  }

  private split(id: string, share: number): void {
    const attempt = this.attempt(id);
    if (attempt === undefined) return;
    const program = this.programs.get(id);
    const split = this.model.split?.(attempt, share, program);
    this.send({ type: "split", attempt: id, end: split?.end });
    if (split === undefined || program === undefined) return;
    program.cancel();
    this.scheduleEnd(id, program.since, split.endsAt);
  }

  /** Returns an attempt with its present chunk, which a split changes. */
  private attempt(id: string): Attempt | undefined {
    return this.decider.attempt?.(id) ?? this.byId.get(id);
  }
}

/** Returns what an agent reports of these attempts when its node joins. */
export function reportAttempts(attempts: Attempt[], change: Partial<RemoteAttempt> = {}): RemoteAttempt[] {
  return attempts.map(({ id, chunk, slot, slots }) => ({ id, chunk: chunk.id, slot, slots, ...change }));
}

function keysOf(attempt: Attempt): string[] {
  return slotNumbersOf(attempt).map((slot) => slotKey(attempt.node, slot));
}

import type { Job } from "../../../executor/job/job.js";
import { sequentialIds } from "../../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Event, Instruction, RemoteAttempt } from "../../../executor/schedule/events.js";
import { reportAttempts, Simulator } from "../../../executor/schedule/plan/simulator.js";
import { Scheduler } from "../../../executor/schedule/scheduler.js";
import { RandomRunOutcome } from "./randomrunoutcome.js";
import { drained, failureOf, middleUnit, overlap, sick, slots } from "./schedulefixture.js";

/** The most attempts on one slot, the running one included. */
const MAX_SLOT_LOAD = 4;

/** Two nodes with random events, controlled by a list of choices. */
export class RandomRun {
  readonly outcome = new RandomRunOutcome();
  private readonly scheduler: Scheduler;
  private readonly simulator: Simulator;
  private readonly unitsOf: Job["unitsOf"];
  /** Ids of attempts whose results are being collected. */
  private readonly collecting: string[] = [];
  /** Attempts that ended on their node but whose results could not be collected: they occupy no slot. */
  private uncollected: Attempt[] = [];
  /** Ids of attempts whose results are held. */
  private readonly results = new Set<string>();

  /** `pace`: the seconds of a short attempt on the slower node. `poison`: units that kill the agent. */
  constructor(
    job: Job,
    private readonly pace: number,
    private readonly poison: ReadonlySet<bigint> = new Set(),
  ) {
    this.unitsOf = job.unitsOf;
    this.scheduler = new Scheduler(job, sequentialIds());
    this.simulator = new Simulator(this.scheduler, {
      split: (attempt) => this.splitOf(attempt),
      beginsBeforeWithdrawal: () => this.now % 2 === 0,
      onInstruction: (instruction) => this.check(instruction),
    });
    this.simulator.open([
      { node: "a", slots: slots("a", 3, 100), limit: 3 },
      { node: "b", slots: slots("b", 3, 300), limit: 3 },
    ]);
  }

  get hasEnded(): boolean {
    return this.simulator.hasEnded;
  }

  step(choice: number): void {
    this.simulator.clock.advance(choice % 10 === 9 ? 20 : 1);
    const { held } = this;
    const attempt = held[choice % (held.length || 1)];
    const finished = this.collecting[choice % (this.collecting.length || 1)];
    if (choice < 45 && attempt !== undefined) this.run(attempt, choice);
    else if (choice < 70 && finished !== undefined) this.collect(finished);
    else if (choice < 75 && finished !== undefined) this.failCollecting(finished);
    else if (choice < 83 && attempt !== undefined) this.fail(attempt);
    else if (choice < 86 && attempt !== undefined) this.send({ type: "started", attempt: attempt.id });
    else if (choice < 88)
      this.send({ type: "slotHeld", node: "a", slot: choice % 3, holder: choice % 2 === 0 ? undefined : "other" });
    else if (choice < 89) this.send({ type: "memoryPressure", node: "b", slots: choice % 2 === 0 ? [] : [0, 1] });
    else if (choice < 91) this.send(sick(choice % 2, choice % 3 === 0));
    else if (choice < 92) this.send({ type: "slotBroken", node: "b", slot: 2, reason: "a process does not die" });
    else if (choice < 95) this.rejoin(choice % 2 === 0 ? "a" : "b", choice < 94);
    else if (choice < 97) this.send(drained(choice % 2 === 0 ? "a" : "b", this.now));
    else this.send({ type: "tick" });
  }

  /** Whether nodes that join again leave after a while. */
  hasDeadlines = false;

  /** Whether nodes whose agents die stay away until they are lost. */
  deathsAreFoundLate = false;

  /** Kills the agent of a node with the first attempt of each slot running; a new agent reports that. */
  die(node: string): void {
    const ran = this.simulator.firstOfSlots(node);
    this.simulator.removeFrom(node);
    this.send({ type: "nodeDisconnected", node });
    if (this.deathsAreFoundLate) this.lose(node);
    this.joinWithout(node, ran);
  }

  /** Loses a node and lets it return with all its attempts, unless one of them was poison. */
  leave(node: string): void {
    const ended = this.takeUncollected(node);
    const ran = this.simulator.firstOfSlots(node);
    const removed = this.simulator.removeFrom(node);
    this.send({ type: "nodeDisconnected", node });
    this.send({ type: "nodeLost", node });
    for (let count = 0; count < 3; count++) {
      this.simulator.clock.advance(1);
      if (this.held[0] !== undefined) this.run(this.held[0], 0);
    }
    this.uncollected.push(...ended);
    if (ran.some((one) => this.poisonIn(one).length > 0)) return this.joinWithout(node, ran);
    this.simulator.restore(removed);
    this.join(node, [...ended, ...removed]);
  }

  /** Loses a node: what it holds no longer counts until it is back. */
  private lose(node: string): void {
    const ended = this.takeUncollected(node);
    this.send({ type: "nodeLost", node });
    this.uncollected.push(...ended);
  }

  private takeUncollected(node: string): Attempt[] {
    const ended = this.uncollected.filter((one) => one.node === node);
    this.uncollected = this.uncollected.filter((one) => one.node !== node);
    return ended;
  }

  /** Lets every attempt end, without further faults. */
  calm(): void {
    for (let slot = 0; slot < 3; slot++) this.send({ type: "slotHeld", node: "a", slot });
    for (let slot = 0; slot < 2; slot++) this.send({ type: "slotRecovered", node: "b", slot });
    this.send({ type: "memoryPressure", node: "b", slots: [] });
    for (const node of ["a", "b"]) this.send({ type: "nodeDrained", node, reason: undefined, evict: false });
    if (this.hasDeadlines) this.stay();
    for (let turn = 0; !this.hasEnded && turn < 20_000; turn++) {
      const [first] = this.held;
      this.simulator.clock.advance(first === undefined && this.collecting.length === 0 ? 60 : 1);
      if (this.collecting[0] !== undefined) this.collect(this.collecting[0]);
      else if (first !== undefined) this.run(first, 0);
      else this.send({ type: "tick" });
    }
  }

  /** Lets both nodes join again without a deadline. */
  private stay(): void {
    this.hasDeadlines = false;
    for (const node of ["a", "b"]) this.rejoin(node, true);
    this.send({ type: "moreNodesExpected", expected: false });
  }

  private get now(): number {
    return this.simulator.clock.now;
  }

  /** What the nodes hold, but for results that are being collected. */
  private get held(): Attempt[] {
    return [...this.simulator.attempts, ...this.uncollected.map((one) => this.scheduler.attempt(one.id) ?? one)];
  }

  /** `choice` 7: the chunk was split, and the answer got lost. */
  private run(attempt: Attempt, choice: number): void {
    const isUncollected = this.uncollected.some(({ id }) => id === attempt.id);
    if (this.poisonIn(attempt).length > 0 && !isUncollected) return this.kill(attempt);
    this.forget(attempt.id);
    this.collecting.push(attempt.id);
    const end = choice === 7 ? middleUnit(attempt) : undefined;
    this.simulator.finish(attempt.id, this.secondsOf(attempt, choice), end);
    this.checkLoads();
  }

  private secondsOf({ node }: Attempt, choice: number): number {
    return (this.pace * (1 + (choice % 3))) / (node === "b" ? 3 : 1);
  }

  /** The result of an attempt was collected: it is committed, held until the scheduler decides, or not needed. */
  private collect(id: string): void {
    switch (this.scheduler.fateOf(id)) {
      case "commit":
        return this.commit(id);
      case "hold":
        this.forget(id);
        this.results.add(id);
        this.outcome.holds++;
        return this.send({ type: "held", attempt: id });
      case "discard":
        this.outcome.late++;
    }
  }

  private commit(id: string): void {
    const { chunk } = this.scheduler.attempt(id)!;
    this.forget(id);
    this.outcome.cover(chunk.start, chunk.end);
    if (this.held.some((one) => overlap(one, chunk))) this.outcome.late++;
    this.send({ type: "committed", attempt: id });
  }

  /** Commits the result of an attempt that is held. */
  private commitHeld(id: string): void {
    if (!this.results.delete(id)) throw new Error(`no result of ${id} is held`);
    this.outcome.released++;
    this.collecting.push(id);
  }

  private failCollecting(id: string): void {
    this.forget(id);
    this.uncollected.push(this.scheduler.attempt(id)!);
    this.send({ type: "collectFailed", attempt: id });
  }

  private fail(attempt: Attempt): void {
    this.forget(attempt.id);
    this.simulator.fail(attempt.id, failureOf(attempt));
    this.checkLoads();
  }

  /** Disconnects a node and lets it rejoin, with or without its attempts. */
  private rejoin(node: string, keeps: boolean): void {
    this.send({ type: "nodeDisconnected", node });
    if (!keeps) {
      this.simulator.removeFrom(node);
      this.uncollected = this.uncollected.filter((one) => one.node !== node);
      this.send({ type: "nodeLost", node });
    }
    const results = [...this.results].map((id) => this.scheduler.attempt(id)!);
    this.join(node, keeps ? [...this.held, ...results].filter((one) => one.node === node) : []);
  }

  private join(node: string, kept: Attempt[], lost: RemoteAttempt[] = []): void {
    const held = [...reportAttempts(kept), ...lost];
    const deadline = this.hasDeadlines ? this.now + 7 * (1 + (this.now % 9)) : undefined;
    this.send({ type: "nodeJoined", node, slots: slots(node, 3, 100), limit: 3, held, deadline });
  }

  /** The agent of a node was killed while `ran` were running; its finished results are still there. */
  private joinWithout(node: string, ran: Attempt[]): void {
    const killers = new Set(ran.flatMap((one) => this.poisonIn(one))); // one may be in a chunk and in a piece of it
    for (const unit of killers) this.outcome.deaths.set(unit, (this.outcome.deaths.get(unit) ?? 0) + 1);
    const ended = this.uncollected.filter((one) => one.node === node);
    this.join(node, ended, reportAttempts(ran, { state: "done", agentDied: true }));
  }

  /** Runs a poison chunk, unless it is queued behind another one. */
  private kill(attempt: Attempt): void {
    if (this.simulator.firstOfSlots(attempt.node).some(({ id }) => id === attempt.id)) this.die(attempt.node);
    else this.send({ type: "tick" });
  }

  private poisonIn({ chunk }: Attempt): bigint[] {
    return [...this.poison].filter((unit) => unit >= chunk.start && unit < chunk.end);
  }

  private hasPoison(chunk: string): boolean {
    const [start, end] = this.unitsOf(chunk)!;
    return [...this.poison].some((unit) => unit >= start && unit < end);
  }

  /** Passes an event to the scheduler. */
  send(event: Event): void {
    this.simulator.send(event);
    this.checkLoads();
  }

  private checkLoads(): void {
    const loads = new Map<string, number>();
    for (const { node, slot } of this.simulator.attempts)
      loads.set(`${node}/${slot}`, (loads.get(`${node}/${slot}`) ?? 0) + 1);
    if (Math.max(0, ...loads.values()) > MAX_SLOT_LOAD)
      throw new Error(`a slot holds too much: ${JSON.stringify([...loads])}`);
  }

  private check(instruction: Instruction): void {
    this.outcome.counts.set(instruction.do, this.outcome.count(instruction.do) + 1);
    switch (instruction.do) {
      case "start":
        return this.checkStart(instruction.attempt);
      case "drop":
        this.results.delete(instruction.id);
        return this.forget(instruction.id);
      case "commit":
        return this.commitHeld(instruction.id);
      case "give-up": {
        const { chunk, reason } = instruction.failure;
        this.outcome.cover(...this.unitsOf(chunk)!);
        if (reason === "") this.outcome.mute++;
        if (reason.includes("agent died") && !this.hasPoison(chunk)) this.outcome.bystanders++;
        return;
      }
      case "cancel":
        return this.outcome.cover(instruction.chunk.start, instruction.chunk.end);
      case "stuck":
        if (instruction.reasons.length === 0) this.outcome.mute++;
    }
  }

  private checkStart(attempt: Attempt): void {
    const others = this.held.filter((one) => overlap(one, attempt.chunk) && one.id !== attempt.id);
    if (others.length === 1) this.outcome.copies++;
    if (others.length > 1) throw new Error(`${attempt.chunk.id} has three attempts`);
  }

  private splitOf({ chunk }: Attempt): { end: bigint; endsAt: number } | undefined {
    const end = [undefined, chunk.end, middleUnit({ chunk })][this.now % 3];
    return end === undefined ? undefined : { end, endsAt: this.now };
  }

  /** Removes an attempt from those that have ended on their nodes. */
  private forget(id: string): void {
    const index = this.collecting.indexOf(id);
    if (index >= 0) this.collecting.splice(index, 1);
    this.uncollected = this.uncollected.filter((one) => one.id !== id);
  }
}

import type { Job } from "../../../executor/job/job.js";
import { sequentialIds } from "../../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Event, Instruction, RemoteAttempt } from "../../../executor/schedule/events.js";
import { Scheduler } from "../../../executor/schedule/scheduler.js";
import { failureOf, slots } from "./schedulefixture.js";

/** The most attempts on one slot, the running one included. */
const MAX_SLOT_LOAD = 4;

/** The outcome of a run: how often each unit was committed or given up, and the instructions on the way. */
export class RandomRunOutcome {
  readonly covered = new Map<bigint, number>();
  readonly counts = new Map<Instruction["do"], number>();
  copies = 0;
  /** Attempts that still ran when a result of their chunk was committed, and give-ups without a reason. */
  late = 0;
  mute = 0;
  /** Agent deaths by poison unit, and chunks without one that were given up for agent deaths. */
  readonly deaths = new Map<bigint, number>();
  bystanders = 0;

  cover(start: bigint, end: bigint): void {
    for (let unit = start; unit < end; unit++) this.covered.set(unit, (this.covered.get(unit) ?? 0) + 1);
  }

  count(what: Instruction["do"]): number {
    return this.counts.get(what) ?? 0;
  }
}

/** Two nodes with random events, controlled by a list of choices. */
export class RandomRun {
  readonly outcome = new RandomRunOutcome();
  private readonly scheduler: Scheduler;
  private readonly unitsOf: Job["unitsOf"];
  private readonly running: Attempt[] = [];
  private readonly collecting: Attempt[] = [];
  /** Attempts that ended on their node but whose results could not be collected: they occupy no slot. */
  private readonly unpulled = new Set<Attempt>();
  private now = 0;

  /** `pace`: the seconds of a short attempt on the slower node. `poison`: units that kill the agent. */
  constructor(
    job: Job,
    private readonly pace: number,
    private readonly killers: ReadonlySet<bigint> = new Set(),
  ) {
    this.unitsOf = job.unitsOf;
    this.scheduler = new Scheduler(job, [], sequentialIds());
    this.tell({ type: "dispatchOpened" });
    this.tell({ type: "nodeJoined", node: "a", slots: slots("a", 3, 100), limit: 3, held: [] });
    this.tell({ type: "nodeJoined", node: "b", slots: slots("b", 3, 300), limit: 3, held: [] });
    this.tell({ type: "allJoined" });
  }

  get ended(): boolean {
    return this.outcome.count("end") > 0;
  }

  step(choice: number): void {
    this.now += choice % 10 === 9 ? 20 : 1;
    const attempt = this.running[choice % (this.running.length || 1)];
    const landed = this.collecting[choice % (this.collecting.length || 1)];
    if (choice < 45 && attempt !== undefined) this.run(attempt, choice);
    else if (choice < 70 && landed !== undefined) this.commit(landed);
    else if (choice < 75 && landed !== undefined) this.unpull(landed);
    else if (choice < 83 && attempt !== undefined) this.fail(attempt);
    else if (choice < 86 && attempt !== undefined) this.tell({ type: "started", attempt: attempt.id });
    else if (choice < 88)
      this.tell({ type: "slotHeld", node: "a", slot: choice % 3, holder: choice % 2 === 0 ? undefined : "other" });
    else if (choice < 89) this.tell({ type: "memoryPressure", node: "b", slots: choice % 2 === 0 ? [] : [0, 1] });
    else if (choice < 91) this.tell(sick(choice % 2, choice % 3 === 0));
    else if (choice < 92) this.tell({ type: "slotBroken", node: "b", slot: 2, reason: "a process does not die" });
    else if (choice < 95) this.rejoin(choice % 2 === 0 ? "a" : "b", choice < 94);
    else this.tell({ type: "tick" });
  }

  /** Whether nodes whose agents die stay away until they are lost. */
  deathsAreFoundLate = false;

  /** Kills the agent of a node with the first attempt of each slot running; a new agent reports that. */
  die(node: string): void {
    const there = this.takeFrom(node);
    this.tell({ type: "nodeDisconnected", node });
    if (this.deathsAreFoundLate) this.tell({ type: "nodeLost", node });
    this.joinWithout(node, firstOfSlots(there));
  }

  /** Loses a node and lets it return with all its attempts, unless one of them was poison. */
  leave(node: string): void {
    const ended = this.running.filter((one) => one.node === node && this.unpulled.has(one));
    for (const one of ended) this.take(this.running, one);
    const there = this.takeFrom(node);
    this.tell({ type: "nodeDisconnected", node });
    this.tell({ type: "nodeLost", node });
    for (let count = 0; count < 3; count++) {
      this.now += 1;
      if (this.running[0] !== undefined) this.run(this.running[0], 0);
    }
    this.running.push(...ended);
    const ran = firstOfSlots(there);
    if (ran.some((one) => this.killersIn(one).length > 0)) return this.joinWithout(node, ran);
    this.running.push(...there);
    this.join(node, [...ended, ...there]);
  }

  /** Lets every attempt end, without further faults. */
  calm(): void {
    for (let slot = 0; slot < 3; slot++) this.tell({ type: "slotHeld", node: "a", slot });
    for (let slot = 0; slot < 2; slot++) this.tell({ type: "slotRecovered", node: "b", slot });
    this.tell({ type: "memoryPressure", node: "b", slots: [] });
    for (let turn = 0; !this.ended && turn < 20_000; turn++) {
      this.now += this.running.length + this.collecting.length === 0 ? 60 : 1;
      if (this.collecting[0] !== undefined) this.commit(this.collecting[0]);
      else if (this.running[0] !== undefined) this.run(this.running[0], 0);
      else this.tell({ type: "tick" });
    }
  }

  /** `choice` 7: the chunk was split, and the answer got lost. */
  private run(attempt: Attempt, choice: number): void {
    if (this.killersIn(attempt).length > 0 && !this.unpulled.has(attempt)) return this.kill(attempt);
    this.take(this.running, attempt);
    this.collecting.push(attempt);
    const end = choice === 7 ? middleUnit(attempt) : undefined;
    this.tell({ type: "finished", attempt: attempt.id, seconds: this.secondsOf(attempt, choice), end });
  }

  private secondsOf({ node }: Attempt, choice: number): number {
    return (this.pace * (1 + (choice % 3))) / (node === "b" ? 3 : 1);
  }

  private commit(attempt: Attempt): void {
    this.take(this.collecting, attempt);
    this.outcome.cover(attempt.chunk.start, attempt.chunk.end);
    if (this.running.filter(({ chunk }) => chunk.id === attempt.chunk.id).length > 0) this.outcome.late++;
    this.tell({ type: "committed", attempt: attempt.id });
  }

  private unpull(attempt: Attempt): void {
    this.take(this.collecting, attempt);
    this.running.push(attempt);
    this.unpulled.add(attempt);
    this.tell({ type: "collectFailed", attempt: attempt.id });
  }

  private fail(attempt: Attempt): void {
    this.take(this.running, attempt);
    this.tell({ type: "failed", attempt: attempt.id, failure: failureOf(attempt) });
  }

  /** Disconnects a node and lets it rejoin, with or without its attempts. */
  private rejoin(node: string, keeps: boolean): void {
    const there = this.running.filter((one) => one.node === node);
    this.tell({ type: "nodeDisconnected", node });
    if (!keeps) {
      for (const one of there) this.take(this.running, one);
      this.tell({ type: "nodeLost", node });
    }
    this.join(node, keeps ? there : []);
  }

  private join(node: string, there: Attempt[], lost: RemoteAttempt[] = []): void {
    const held = there.map((one): RemoteAttempt => ({ id: one.id, chunk: one.chunk.id, slot: one.slot }));
    this.tell({ type: "nodeJoined", node, slots: slots(node, 3, 100), limit: 3, held: [...held, ...lost] });
    // An adopted attempt is a new object in the scheduler, and only that one changes when it is split.
    for (const [index, one] of this.running.entries()) {
      const known = this.scheduler.attempt(one.id) ?? one;
      this.running[index] = known;
      if (this.unpulled.delete(one)) this.unpulled.add(known);
    }
  }

  /** The agent of a node was killed while `ran` were running; its finished results are still there. */
  private joinWithout(node: string, ran: Attempt[]): void {
    for (const unit of ran.flatMap((one) => this.killersIn(one)))
      this.outcome.deaths.set(unit, (this.outcome.deaths.get(unit) ?? 0) + 1);
    const lost = ran.map(
      ({ id, chunk, slot }): RemoteAttempt => ({ id, chunk: chunk.id, slot, state: "done", agentDied: true }),
    );
    const ended = this.running.filter((one) => one.node === node && this.unpulled.has(one));
    this.join(node, ended, lost);
  }

  /** Runs a poison chunk, unless it is queued behind another one. */
  private kill(attempt: Attempt): void {
    const there = this.running.filter((one) => one.node === attempt.node && !this.unpulled.has(one));
    if (firstOfSlots(there).includes(attempt)) this.die(attempt.node);
    else this.tell({ type: "tick" });
  }

  private killersIn({ chunk }: Attempt): bigint[] {
    return [...this.killers].filter((unit) => unit >= chunk.start && unit < chunk.end);
  }

  /** Removes and returns the attempts on a node that have not ended. */
  private takeFrom(node: string): Attempt[] {
    const there = this.running.filter((one) => one.node === node && !this.unpulled.has(one));
    for (const one of there) this.take(this.running, one);
    return there;
  }

  private tell(event: Event): void {
    for (const one of this.scheduler.handle(event, this.now)) this.hear(one);
    const loads = new Map<string, number>();
    for (const { node, slot } of this.running.filter((attempt) => !this.unpulled.has(attempt)))
      loads.set(`${node}/${slot}`, (loads.get(`${node}/${slot}`) ?? 0) + 1);
    if (Math.max(0, ...loads.values()) > MAX_SLOT_LOAD)
      throw new Error(`a slot holds too much: ${JSON.stringify([...loads])}`);
  }

  private hear(one: Instruction): void {
    this.outcome.counts.set(one.do, this.outcome.count(one.do) + 1);
    switch (one.do) {
      case "start":
        switch (this.running.filter((other) => other.chunk.id === one.attempt.chunk.id).length) {
          case 0:
            break;
          case 1:
            this.outcome.copies++;
            break;
          default:
            throw new Error(`${one.attempt.chunk.id} has three attempts`);
        }
        this.running.push(one.attempt);
        break;
      case "drop":
        for (const queue of [this.running, this.collecting]) {
          const attempt = queue.find((other) => other.id === one.id);
          if (attempt !== undefined) this.take(queue, attempt);
        }
        break;
      case "withdraw":
        for (const id of one.ids) this.withdraw(id);
        break;
      case "split":
        this.divide(one.id);
        break;
      case "give-up":
        this.outcome.cover(...this.unitsOf(one.failure.chunk)!);
        if (one.failure.reason === "") this.outcome.mute++;
        if (one.failure.reason.includes("agent died") && !this.hasKiller(one.failure.chunk)) this.outcome.bystanders++;
        break;
      case "stuck":
        if (one.reasons.length === 0) this.outcome.mute++;
    }
  }

  private hasKiller(chunk: string): boolean {
    const [start, end] = this.unitsOf(chunk)!;
    return [...this.killers].some((unit) => unit >= start && unit < end);
  }

  private withdraw(id: string): void {
    const attempt = this.running.find((one) => one.id === id);
    if (attempt === undefined) return;
    if (this.now % 2 === 0) return this.tell({ type: "started", attempt: id });
    this.take(this.running, attempt);
    this.tell({ type: "requeued", attempt: id });
  }

  private divide(id: string): void {
    const attempt = this.running.find((one) => one.id === id);
    if (attempt === undefined) return;
    const end = [undefined, attempt.chunk.end, middleUnit(attempt)][this.now % 3];
    this.tell({ type: "split", attempt: id, end });
  }

  private take(queue: Attempt[], attempt: Attempt): void {
    queue.splice(queue.indexOf(attempt), 1);
  }
}

/** Returns the first attempt of each slot, in the order in which they were started. */
function firstOfSlots(attempts: Attempt[]): Attempt[] {
  return attempts.filter((one, index) => attempts.findIndex(({ slot }) => slot === one.slot) === index);
}

function middleUnit({ chunk }: Attempt): bigint | undefined {
  return chunk.end - chunk.start < 2n ? undefined : (chunk.start + chunk.end) / 2n;
}

/** A GPU of node b. */
function sick(slot: number, lasting: boolean): Event {
  return { type: "slotSick", node: "b", slot, reason: "no clocks", evict: false, lasting };
}

import fc from "fast-check";
import t from "tap";
import type { Attempt, Event, Instruction } from "../../../executor/schedule/events.js";
import { Scheduler } from "../../../executor/schedule/scheduler.js";
import { failureOf, open, rangeJob, slots } from "./fixture.js";

/** Attempts that one slot may hold, the running one included. */
const DEEPEST = 4;

/** What came out of a run: how often each unit was committed or given up, and what was decided on the way. */
class Outcome {
  readonly covered = new Map<bigint, number>();
  readonly counts = new Map<Instruction["do"], number>();
  twins = 0;

  cover(start: bigint, end: bigint): void {
    for (let unit = start; unit < end; unit++) this.covered.set(unit, (this.covered.get(unit) ?? 0) + 1);
  }

  count(what: Instruction["do"]): number {
    return this.counts.get(what) ?? 0;
  }
}

/** Two nodes on which anything may happen to anything, as a list of choices says. */
class Turmoil {
  readonly outcome = new Outcome();
  private readonly scheduler: Scheduler;
  private readonly running: Attempt[] = [];
  private readonly collecting: Attempt[] = [];
  private now = 0;

  constructor(units: bigint) {
    this.scheduler = new Scheduler(rangeJob(units), [], 1);
    for (const attempt of open(this.scheduler, [
      ["a", 3, 100],
      ["b", 3, 300],
    ]))
      this.running.push(attempt);
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
      this.tell({ type: "held", node: "a", slot: choice % 3, holder: choice % 2 === 0 ? undefined : "other" });
    else if (choice < 92) this.rejoin(choice % 2 === 0 ? "a" : "b", choice < 90);
    else this.tell({ type: "time" });
  }

  /** Lets everything come to its end. */
  calm(): void {
    for (let slot = 0; slot < 3; slot++) this.tell({ type: "held", node: "a", slot });
    for (let turn = 0; !this.ended && turn < 20_000; turn++) {
      this.now += this.running.length + this.collecting.length === 0 ? 60 : 1;
      if (this.collecting[0] !== undefined) this.commit(this.collecting[0]);
      else if (this.running[0] !== undefined) this.run(this.running[0], 0);
      else this.tell({ type: "time" });
    }
  }

  /** `choice` 7: it gave a part of its chunk away, and the answer that said so got lost. */
  private run(attempt: Attempt, choice: number): void {
    this.take(this.running, attempt);
    this.collecting.push(attempt);
    const end = choice === 7 ? middle(attempt) : undefined;
    this.tell({ type: "ran", attempt: attempt.id, seconds: 1 + (choice % 3), end });
  }

  private commit(attempt: Attempt): void {
    this.take(this.collecting, attempt);
    this.outcome.cover(attempt.chunk.start, attempt.chunk.end);
    this.tell({ type: "committed", attempt: attempt.id });
  }

  private unpull(attempt: Attempt): void {
    this.take(this.collecting, attempt);
    this.running.push(attempt);
    this.tell({ type: "unpulled", attempt: attempt.id });
  }

  private fail(attempt: Attempt): void {
    this.take(this.running, attempt);
    this.tell({ type: "failed", attempt: attempt.id, failure: failureOf(attempt) });
  }

  /** The node goes and comes back, with what it was at or without. */
  private rejoin(node: string, keeps: boolean): void {
    const there = this.running.filter((one) => one.node === node);
    this.tell({ type: "silent", node });
    if (!keeps) {
      for (const one of there) this.take(this.running, one);
      this.tell({ type: "gone", node });
    }
    const held = keeps ? there.map((one) => ({ id: one.id, chunk: one.chunk.id, slot: one.slot })) : [];
    this.tell({ type: "joined", node, slots: slots(node, 3, 100), limit: 3, held });
  }

  private tell(event: Event): void {
    for (const one of this.scheduler.handle(event, this.now)) this.hear(one);
    const loads = new Map<string, number>();
    for (const { node, slot } of this.running) loads.set(`${node}/${slot}`, (loads.get(`${node}/${slot}`) ?? 0) + 1);
    if (Math.max(0, ...loads.values()) > DEEPEST)
      throw new Error(`a slot holds too much: ${JSON.stringify([...loads])}`);
  }

  private hear(one: Instruction): void {
    this.outcome.counts.set(one.do, this.outcome.count(one.do) + 1);
    switch (one.do) {
      case "start":
        if (this.running.some((other) => other.chunk.id === one.attempt.chunk.id)) this.outcome.twins++;
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
        this.outcome.cover(...(one.failure.chunk.split("-").map(BigInt) as [bigint, bigint]));
    }
  }

  private withdraw(id: string): void {
    const attempt = this.running.find((one) => one.id === id);
    if (attempt === undefined) return;
    if (this.now % 2 === 0) return this.tell({ type: "started", attempt: id });
    this.take(this.running, attempt);
    this.tell({ type: "lost", attempt: id });
  }

  private divide(id: string): void {
    const attempt = this.running.find((one) => one.id === id);
    if (attempt === undefined) return;
    const end = [undefined, attempt.chunk.end, middle(attempt)][this.now % 3];
    this.tell({ type: "split", attempt: id, end });
  }

  private take(queue: Attempt[], attempt: Attempt): void {
    queue.splice(queue.indexOf(attempt), 1);
  }
}

function middle({ chunk }: Attempt): bigint | undefined {
  return chunk.end - chunk.start < 2n ? undefined : (chunk.start + chunk.end) / 2n;
}

t.test("property: whatever happens, every unit is committed or given up exactly once, and the run ends", async (t) => {
  const choices = fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 50, maxLength: 400 });
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), choices, (units, list) => {
      const turmoil = new Turmoil(BigInt(units));
      for (const choice of list) if (!turmoil.ended) turmoil.step(choice);
      turmoil.calm();
      const { outcome } = turmoil;
      for (const [what, count] of outcome.counts) seen.set(what, (seen.get(what) ?? 0) + count);
      seen.set("twins", (seen.get("twins") ?? 0) + outcome.twins);
      const once = [...outcome.covered.values()].every((times) => times === 1);
      return outcome.count("end") === 1 && once && outcome.covered.size === units;
    }),
    { numRuns: 200 },
  );
  for (const what of ["drop", "withdraw", "split", "twins"])
    t.ok((seen.get(what) ?? 0) > 0, `${what}: ${seen.get(what)} times in 200 runs`);
});

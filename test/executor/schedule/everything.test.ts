import fc from "fast-check";
import t from "tap";
import type { Job } from "../../../executor/job/job.js";
import { sequentialIds } from "../../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Event, Instruction } from "../../../executor/schedule/events.js";
import { Scheduler } from "../../../executor/schedule/scheduler.js";
import { failureOf, rangeJob, runs, slots, taskJob } from "./fixture.js";

/** Attempts that one slot may hold, the running one included. */
const DEEPEST = 4;

/** What came out of a run: how often each unit was committed or given up, and what was decided on the way. */
class Outcome {
  readonly covered = new Map<bigint, number>();
  readonly counts = new Map<Instruction["do"], number>();
  twins = 0;
  /** Attempts that still ran when a result of their chunk was committed, and refusals without a reason. */
  late = 0;
  mute = 0;

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
  private readonly unitsOf: Job["unitsOf"];
  private readonly running: Attempt[] = [];
  private readonly collecting: Attempt[] = [];
  /** Those that have ended on their node, and are told again because their results did not come through: no slot holds them. */
  private readonly unpulled = new Set<Attempt>();
  private now = 0;

  /** `pace`: seconds that a short attempt is said to have taken on the slower node. */
  constructor(
    job: Job,
    private readonly pace: number,
  ) {
    this.unitsOf = job.unitsOf;
    this.scheduler = new Scheduler(job, [], sequentialIds());
    this.tell({ type: "open" });
    this.tell({ type: "joined", node: "a", slots: slots("a", 3, 100), limit: 3, held: [] });
    this.tell({ type: "joined", node: "b", slots: slots("b", 3, 300), limit: 3, held: [] });
    this.tell({ type: "settled" });
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
    else if (choice < 89) this.tell({ type: "short", node: "b", slots: choice % 2 === 0 ? [] : [0, 1] });
    else if (choice < 91) this.tell(sick(choice % 2, choice % 3 === 0));
    else if (choice < 92) this.tell({ type: "broken", node: "b", slot: 2, reason: "a process does not die" });
    else if (choice < 95) this.rejoin(choice % 2 === 0 ? "a" : "b", choice < 94);
    else this.tell({ type: "time" });
  }

  /** Lets everything come to its end. */
  calm(): void {
    for (let slot = 0; slot < 3; slot++) this.tell({ type: "held", node: "a", slot });
    for (let slot = 0; slot < 2; slot++) this.tell({ type: "well", node: "b", slot });
    this.tell({ type: "short", node: "b", slots: [] });
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
    this.tell({ type: "ran", attempt: attempt.id, seconds: this.secondsOf(attempt, choice), end });
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
    for (const { node, slot } of this.running.filter((attempt) => !this.unpulled.has(attempt)))
      loads.set(`${node}/${slot}`, (loads.get(`${node}/${slot}`) ?? 0) + 1);
    if (Math.max(0, ...loads.values()) > DEEPEST)
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
            this.outcome.twins++;
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
        break;
      case "stuck":
        if (one.reasons.length === 0) this.outcome.mute++;
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

/** A card of node b. */
function sick(slot: number, lasting: boolean): Event {
  return { type: "sick", node: "b", slot, reason: "no clocks", evict: false, lasting };
}

/** Plays so many jobs of this kind; every unit must be committed or given up exactly once. Answers how often what was decided. */
function playAll(jobs: fc.Arbitrary<Job>, pace: number, numRuns: number): Map<string, number> {
  const choices = fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 50, maxLength: 400 });
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(jobs, choices, (job, list) => {
      const turmoil = new Turmoil(job, pace);
      for (const choice of list) if (!turmoil.ended) turmoil.step(choice);
      turmoil.calm();
      const { outcome } = turmoil;
      for (const [what, count] of outcome.counts) seen.set(what, (seen.get(what) ?? 0) + count);
      seen.set("twins", (seen.get("twins") ?? 0) + outcome.twins);
      const once = [...outcome.covered.values()].every((times) => times === 1);
      const sound = outcome.late === 0 && outcome.mute === 0;
      return outcome.count("end") === 1 && once && sound && outcome.covered.size === Number(job.units);
    }),
    { numRuns },
  );
  return seen;
}

const ranges = fc.integer({ min: 1, max: 400 }).map((units) => rangeJob(BigInt(units)));
const task = fc.record({
  expect: fc.option(fc.integer({ min: 1, max: 500 }), { nil: undefined }),
  priority: fc.option(fc.integer({ min: -2, max: 2 }), { nil: undefined }),
  gpu: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined, freq: 6 }),
  work: fc.constantFrom("a", "b").map((program) => runs(program).work),
});
const lists = fc.array(task, { minLength: 1, maxLength: 120 }).map((tasks) => taskJob(tasks));

const KINDS: [what: string, jobs: fc.Arbitrary<Job>, pace: number, count: number, decided: string[]][] = [
  ["a range", ranges, 1, 200, ["drop", "withdraw", "split", "twins"]],
  ["tasks", lists, 60, 600, ["withdraw", "twins", "give-up"]],
];
for (const [what, jobs, pace, count, decided] of KINDS)
  t.test(
    `property: whatever happens to ${what}, every unit is committed or given up once, and the run ends`,
    async (t) => {
      const seen = playAll(jobs, pace, count);
      for (const one of decided) t.ok((seen.get(one) ?? 0) > 0, `${one}: ${seen.get(one)} times in ${count} runs`);
    },
  );

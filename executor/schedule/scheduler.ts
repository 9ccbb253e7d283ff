import type { Chunk, Job } from "../job/job.js";
import { queueDepth } from "./depth.js";
import type { Attempt, Event, Failure, Held, Instruction, Slot } from "./events.js";
import { Pool, type SlotState, slotKey } from "./pool.js";
import { Rates } from "./rates.js";
import { backoff } from "./retry.js";
import { chunkSize } from "./size.js";
import { Source } from "./source.js";
import { Waiting } from "./waiting.js";

interface Underway {
  attempt: Attempt;
  phase: "running" | "collecting";
}

/**
 * Decides which chunk runs where and when, and what becomes of one that failed. No clock, no I/O: `handle` takes an event
 * and the time (seconds, any origin) and answers with instructions. Every unit of the job ends committed or given up, once.
 */
export class Scheduler {
  readonly rates = new Rates();
  private readonly pool = new Pool();
  private readonly source: Source;
  private readonly waiting = new Waiting();
  private readonly underway = new Map<string, Underway>();
  private open = false;
  private settled = false;
  private ended = false;
  private count = 0;

  /**
   * `done`: the units that earlier sessions committed. `session` makes attempt ids unique among them. `expected`: first-guess
   * rates of the nodes that may join, so that the first to come is not taken for the slowest.
   */
  constructor(
    private readonly job: Job,
    done: Iterable<[start: bigint, end: bigint]>,
    private readonly session: number,
    private readonly expected: Map<string, number> = new Map(),
  ) {
    this.source = new Source(job.first, job.first + job.units);
    for (const [start, end] of done) this.source.remove(start, end);
  }

  handle(event: Event, now: number): Instruction[] {
    const out = this.react(event, now);
    if (this.open) this.assign(now, out);
    return out;
  }

  /** The attempt called `id`, while it is this coordinator's concern. */
  attempt(id: string): Attempt | undefined {
    return this.underway.get(id)?.attempt;
  }

  /** True while `id` runs or waits on its node, so that its end would be news. */
  isRunning(id: string): boolean {
    return this.underway.get(id)?.phase === "running";
  }

  /** Units that nobody has been given yet. */
  get left(): bigint {
    return this.source.left;
  }

  private react(event: Event, now: number): Instruction[] {
    switch (event.type) {
      case "joined":
        return this.join(event.node, event.slots, event.limit, event.held, now);
      case "silent":
        this.setLive(event.node, false);
        return [];
      case "gone":
        this.expected.delete(event.node);
        this.setLive(event.node, false);
        for (const { attempt, phase } of this.underway.values())
          if (attempt.node === event.node && phase === "running") this.requeue(attempt, now);
        return [];
      case "slot":
        return this.setUsable(event.node, event.slot, event.usable);
      case "ran":
        return this.ran(event.attempt, event.seconds);
      case "committed":
        this.release(event.attempt);
        return [];
      case "unpulled":
        return this.unpulled(event.attempt);
      case "failed":
        return this.failed(event.attempt, event.failure, now);
      case "lost": {
        const underway = this.underway.get(event.attempt);
        if (underway !== undefined) this.requeue(underway.attempt, now);
        return [];
      }
      case "open":
        this.open = true;
        return [];
      case "settled":
        this.settled = true;
        return [];
      case "time":
        return [];
    }
  }

  private join(name: string, slots: Slot[], limit: number, held: Held[], now: number): Instruction[] {
    this.pool.join(name, slots, limit);
    this.expected.delete(name);
    for (const slot of slots) this.rates.guess(slotKey(name, slot.slot), slot.rate);
    const holds = new Set(held.map((one) => one.id));
    for (const { attempt, phase } of this.underway.values()) {
      if (attempt.node !== name || phase !== "running") continue;
      if (holds.has(attempt.id)) this.load(attempt, 1);
      else this.requeue(attempt, now, 0);
    }
    const unknown = held.filter((one) => !this.underway.has(one.id));
    return unknown.flatMap((one) => (this.adopt(name, one) ? [] : [{ do: "drop", node: name, id: one.id }]));
  }

  /** Takes over what an earlier coordinator started, unless its units are somebody's already. */
  private adopt(node: string, held: Held): boolean {
    const units = this.job.unitsOf(held.chunk);
    if (units === undefined || this.pool.slot(node, held.slot) === undefined) return false;
    if (!this.source.remove(...units)) return false;
    const attempt = { id: held.id, number: 1, chunk: this.job.chunk(...units), node, slot: held.slot };
    this.underway.set(held.id, { attempt, phase: "running" });
    this.load(attempt, 1);
    return true;
  }

  private ran(id: string, seconds: number): Instruction[] {
    const underway = this.underway.get(id);
    if (underway === undefined || underway.phase === "collecting") return [];
    const { attempt } = underway;
    this.load(attempt, -1);
    underway.phase = "collecting";
    const node = this.pool.nodes.get(attempt.node);
    if (node !== undefined) node.collecting++;
    this.rates.learn(slotKey(attempt.node, attempt.slot), attempt.chunk.end - attempt.chunk.start, seconds);
    return [];
  }

  private unpulled(id: string): Instruction[] {
    const underway = this.underway.get(id);
    if (underway?.phase !== "collecting") return [];
    const node = this.pool.nodes.get(underway.attempt.node);
    if (node !== undefined) node.collecting--;
    underway.phase = "running";
    this.load(underway.attempt, 1);
    return [];
  }

  private failed(id: string, failure: Failure, now: number): Instruction[] {
    const underway = this.underway.get(id);
    if (underway === undefined) return [];
    const { attempt } = this.release(id)!;
    if (attempt.number >= this.job.retry.attempts) return [{ do: "give-up", failure }];
    this.waiting.add({
      chunk: attempt.chunk,
      number: attempt.number + 1,
      at: now + backoff(this.job.retry.backoff, attempt.number),
      avoid: slotKey(attempt.node, attempt.slot),
    });
    return [];
  }

  private requeue(attempt: Attempt, now: number, loaded = 1): void {
    if (loaded === 1) this.release(attempt.id);
    else this.underway.delete(attempt.id);
    this.waiting.add({ chunk: attempt.chunk, number: attempt.number, at: now });
  }

  private release(id: string): Underway | undefined {
    const underway = this.underway.get(id);
    if (underway === undefined) return undefined;
    this.underway.delete(id);
    const node = this.pool.nodes.get(underway.attempt.node);
    if (underway.phase === "running") this.load(underway.attempt, -1);
    else if (node !== undefined) node.collecting--;
    return underway;
  }

  private load(attempt: Attempt, by: number): void {
    const slot = this.pool.slot(attempt.node, attempt.slot);
    if (slot !== undefined) slot.load += by;
  }

  private setLive(node: string, live: boolean): void {
    const state = this.pool.nodes.get(node);
    if (state !== undefined) state.live = live;
  }

  private setUsable(node: string, slot: number, usable: boolean): Instruction[] {
    const state = this.pool.slot(node, slot);
    if (state !== undefined) state.usable = usable;
    return [];
  }

  /** Gives out work until no slot has room or no chunk is left for those that have. */
  private assign(now: number, out: Instruction[]): void {
    while (this.hasWork()) {
      const usable = this.pool.usable();
      const depth = queueDepth(this.rates.seconds, this.chunksLeft(), usable.length);
      const given = this.give(this.pool.open(depth, this.rates), usable, now);
      if (given === undefined) break;
      out.push({ do: "start", attempt: given });
    }
    if (this.settled && this.underway.size === 0) this.conclude(now, out);
    const at = this.waiting.next(now);
    if (at !== undefined) out.push({ do: "wake", at });
  }

  private give(open: SlotState[], usable: SlotState[], now: number): Attempt | undefined {
    for (const slot of open) {
      const work = this.waiting.take(slot, usable, now) ?? this.fresh(slot);
      if (work === undefined) continue;
      const id = `${this.session}-${(this.count++).toString(36)}`;
      const attempt = { id, number: work.number, chunk: work.chunk, node: slot.node, slot: slot.slot };
      this.underway.set(id, { attempt, phase: "running" });
      slot.load++;
      return attempt;
    }
    return undefined;
  }

  /** The next chunk that nobody has had, sized for the slot. Those pinned to another GPU are put aside. */
  private fresh(slot: SlotState): { chunk: Chunk; number: number } | undefined {
    for (;;) {
      const units = this.source.take(this.sizeFor(slot));
      if (units === undefined) return undefined;
      const chunk = this.job.chunk(...units);
      if (fits(chunk, slot)) return { chunk, number: 1 };
      this.waiting.add({ chunk, number: 1, at: 0 });
    }
  }

  private sizeFor(slot: SlotState): bigint {
    const { sizing } = this.job;
    if (sizing === undefined) return 1n;
    const here = this.rates.slowest(this.pool.usable().map((one) => one.key));
    const slowest = [...this.expected.values()].reduce(
      (least, rate) => Math.min(least, rate),
      here ?? Number.POSITIVE_INFINITY,
    );
    return chunkSize(sizing, this.rates.of(slot.key), slowest);
  }

  private chunksLeft(): number {
    return Number(this.source.left) / (this.job.sizing?.base ?? 1) + this.waiting.size;
  }

  private hasWork(): boolean {
    return this.source.left > 0n || this.waiting.size > 0;
  }

  /** Nothing is under way: either all is done, or what waits fits no slot that there is. */
  private conclude(now: number, out: Instruction[]): void {
    const nodes = [...this.pool.nodes.values()];
    const usable = this.pool.usable();
    const allThere = nodes.every((node) => node.live && node.slots.every((slot) => slot.usable));
    if (this.hasWork() && this.waiting.next(now) === undefined && usable.length > 0 && allThere)
      for (const { chunk, number } of this.waiting.drain())
        out.push({ do: "give-up", failure: unplaceable(chunk, number) });
    if (this.hasWork() || this.ended) return;
    this.ended = true;
    out.push({ do: "end" });
  }
}

/** A chunk pinned to a GPU runs on the GPU of that index of any node; a CPU slot takes any. */
export function fits(chunk: Chunk, slot: Slot): boolean {
  return chunk.gpu === undefined || slot.gpu === undefined || slot.gpu === chunk.gpu;
}

function unplaceable(chunk: Chunk, attempt: number): Failure {
  const reason = `no slot fits: it is pinned to gpu ${chunk.gpu}, and no usable node has that one`;
  return { chunk: chunk.id, node: "-", slot: -1, attempt, exit: null, signal: null, reason, stderr: "" };
}

import type { Chunk, Job } from "../../executor/job/job.js";
import type { Event, Instruction, Slot } from "../../executor/schedule/events.js";
import type { Decider } from "../../executor/schedule/plan/simulator.js";
import { widthOf } from "../../executor/schedule/slots/slotgroups.js";

/** Returns which of the waiting chunks may start now, if their GPUs are idle, the first ones first. */
export type QueueRule = (waiting: readonly Chunk[]) => readonly Chunk[];

/** Nobody passes the first. */
export const firstInFirstOut: QueueRule = (waiting) => waiting.slice(0, 1);
/** Whatever fits starts: a chunk that needs many GPUs waits until they happen to be idle at once. */
export const plainBackfill: QueueRule = (waiting) => waiting;

/** One queue of chunks that each need some GPUs of one node, without failures and lost nodes. */
export class ChunkQueue implements Decider {
  private readonly waiting: Chunk[];
  private readonly idle = new Map<string, Slot[]>();
  private readonly running = new Map<string, Slot[]>();
  private count = 0;

  constructor(
    job: Job,
    private readonly rule: QueueRule,
  ) {
    this.waiting = Array.from({ length: Number(job.units) }, (_, unit) => job.chunk(BigInt(unit), BigInt(unit + 1)));
  }

  handle(event: Event): Instruction[] {
    if (event.type === "nodeJoined") this.idle.set(event.node, [...event.slots]);
    if (event.type === "finished") {
      const slots = this.running.get(event.attempt)!;
      this.running.delete(event.attempt);
      this.idle.get(slots[0]!.node)!.push(...slots);
    }
    return this.start();
  }

  private start(): Instruction[] {
    const out: Instruction[] = [];
    for (let found = this.findStart(); found !== undefined; found = this.findStart()) {
      const { chunk, slots } = found;
      this.waiting.splice(this.waiting.indexOf(chunk), 1);
      const id = `1-${(this.count++).toString(36)}`;
      const numbers = slots.map(({ slot }) => slot).sort((a, b) => a - b);
      const several = numbers.length === 1 ? {} : { slots: numbers };
      this.running.set(id, slots);
      out.push({
        do: "start",
        attempt: { id, number: 1, chunk, node: slots[0]!.node, slot: numbers[0]!, ...several },
      });
    }
    if (this.running.size === 0 && this.waiting.length === 0) out.push({ do: "end" });
    return out;
  }

  private findStart(): { chunk: Chunk; slots: Slot[] } | undefined {
    for (const chunk of this.rule(this.waiting)) {
      const width = widthOf(chunk);
      const there = [...this.idle.values()].find((slots) => slots.length >= width);
      if (there !== undefined) return { chunk, slots: there.splice(0, width) };
    }
    return undefined;
  }
}

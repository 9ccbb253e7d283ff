import type { Chunk, Job } from "../job/job.js";
import type { Reservations } from "./attempts/reservations.js";
import type { Retry } from "./queue/retry.js";
import type { Source } from "./queue/source.js";
import type { Waiting } from "./queue/waiting.js";
import { avoids, type History } from "./slots/blame.js";
import type { Pool } from "./slots/pool.js";
import { isShort, type SlotState } from "./slots/slot.js";

/** A chunk, what it has been through, and the slot that it goes to. */
export interface Placed {
  chunk: Chunk;
  history: History;
  slot: SlotState;
  /** Whether nothing else may run on that node meanwhile. */
  alone: boolean;
}

/** Which chunk goes next, and where: those that wait before new ones, each to the first slot that has room and suits it. */
export class Placement {
  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly source: Source,
    private readonly waiting: Waiting,
    private readonly reservations: Reservations,
  ) {}

  next(): Placed | undefined {
    return this.alone() ?? this.again() ?? this.fresh();
  }

  private alone(): Placed | undefined {
    const ready = this.reservations.ready();
    if (ready === undefined) return undefined;
    this.waiting.take(ready.retry);
    return { chunk: ready.retry.chunk, history: ready.retry.history, slot: ready.slot, alone: true };
  }

  private again(): Placed | undefined {
    for (const pin of this.waiting.pins()) {
      if (this.pool.openings.best(pin, any) === undefined) continue;
      for (const retry of this.waiting.dueFor(pin)) {
        const slot = this.pool.openings.best(pin, (one) => this.suits(retry, one));
        if (slot === undefined) continue;
        this.waiting.take(retry);
        return { chunk: retry.chunk, history: retry.history, slot, alone: false };
      }
    }
    return undefined;
  }

  private suits({ chunk, history, heavy }: Retry, slot: SlotState): boolean {
    return !avoids(history, chunk, slot, this.pool) && !(heavy === slot.node && isShort(slot.home));
  }

  /** The next chunk that nobody has had, sized for the slot. Those pinned to a GPU that has no room are put aside. */
  private fresh(): Placed | undefined {
    for (;;) {
      const first = this.pool.openings.best(undefined, any);
      if (first === undefined) return undefined;
      const units = this.source.take(first);
      if (units === undefined) return undefined;
      const chunk = this.job.chunk(...units);
      const slot = chunk.gpu === undefined ? first : this.pool.openings.best(chunk.gpu, any);
      if (slot !== undefined) return { chunk, history: [], slot, alone: false };
      this.waiting.add({ chunk, history: [], at: Number.NEGATIVE_INFINITY });
    }
  }
}

function any(): boolean {
  return true;
}

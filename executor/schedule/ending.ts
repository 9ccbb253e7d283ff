import type { Chunk } from "../job/job.js";
import type { Failure, Instruction } from "./events.js";
import type { Pool } from "./pool.js";
import { isUsable, type SlotState } from "./slot.js";
import type { Source } from "./source.js";
import type { Waiting } from "./waiting.js";

/** Knows when nothing is left to do, and what will never be done. */
export class Ending {
  private ended = false;

  constructor(
    private readonly pool: Pool,
    private readonly source: Source,
    private readonly waiting: Waiting,
  ) {}

  /** Nothing is under way: either all is done, or what waits fits no slot that there is. */
  conclude(): Instruction[] {
    const out: Instruction[] = this.isStuck()
      ? this.waiting
          .drain()
          .map(({ chunk, history }) => ({ do: "give-up", failure: unplaceable(chunk, history.length + 1) }) as const)
      : [];
    if (this.source.left > 0n || this.waiting.size > 0 || this.ended) return out;
    this.ended = true;
    out.push({ do: "end" });
    return out;
  }

  private isStuck(): boolean {
    if (this.waiting.size === 0 || this.waiting.next() !== undefined || this.pool.usableSlots === 0) return false;
    return [...this.pool.nodes.values()].every((node) => node.live && node.slots.every(isSettled));
  }
}

/** Whether there is nothing to wait for: it can be used, or it stays sick. */
function isSettled(slot: SlotState): boolean {
  return isUsable(slot) || slot.health.sick?.lasting === true;
}

function unplaceable(chunk: Chunk, attempt: number): Failure {
  const reason = `no slot fits: it is pinned to gpu ${chunk.gpu}, and no usable node has that one`;
  return { chunk: chunk.id, node: "-", slot: -1, attempt, exit: null, signal: null, reason, stderr: "" };
}

import type { Chunk } from "../job/job.js";
import type { Failure, Instruction } from "./events.js";
import type { Pool } from "./pool.js";
import { refusals } from "./refusals.js";
import { isUsable, type SlotState } from "./slot.js";
import type { Source } from "./source.js";
import type { Waiting } from "./waiting.js";

/** A chunk that any slot may have. */
const ANY: Pick<Chunk, "gpu"> = {};

/** Knows when nothing is left to do, and what will never be done. */
export class Ending {
  private ended = false;
  private told = "";

  constructor(
    private readonly pool: Pool,
    private readonly source: Source,
    private readonly waiting: Waiting,
  ) {}

  /** Nothing is under way: either all is done, or what waits fits no slot that there is. */
  conclude(): Instruction[] {
    const out: Instruction[] = this.isStuck()
      ? this.waiting.drain().map(({ chunk, history }) => {
          const failure = unplaceable(chunk, history.length + 1, refusals(chunk, this.pool));
          return { do: chunk.again === undefined ? "give-up" : "unchecked", failure } as const;
        })
      : [];
    if (this.source.left > 0n || this.waiting.size > 0 || this.ended) return out;
    this.ended = true;
    out.push({ do: "end" });
    return out;
  }

  /** What keeps all work from every slot, while some is left and none is under way; once for each state of things. */
  stuck(): Instruction[] {
    if (this.ended || (this.source.left === 0n && this.waiting.size === 0)) return [];
    const chunk = this.waiting.first();
    const reasons = chunk === undefined && this.pool.usableSlots > 0 ? [] : refusals(chunk ?? ANY, this.pool);
    const text = reasons.join("\n");
    if (text === this.told) return [];
    this.told = text;
    return reasons.length === 0 ? [] : [{ do: "stuck", reasons }];
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

function unplaceable(chunk: Chunk, attempt: number, why: string[]): Failure {
  const reason = `no slot fits:${why.map((line) => `\n    ${line}`).join("")}`;
  return { chunk: chunk.id, node: "-", slot: -1, attempt, exit: null, signal: null, reason, stderr: "" };
}

import type { Chunk } from "../../job/job.js";
import type { Failure, Instruction } from "../events.js";
import type { Retry } from "../queue/retry.js";
import type { Source } from "../queue/source.js";
import type { Waiting } from "../queue/waiting.js";
import type { Pool } from "../slots/pool.js";
import { isHopeless, refusals } from "../slots/refusals.js";

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
    const out = this.hopeless().map(({ chunk, history }): Instruction => {
      const failure = unplaceable(chunk, history.length + 1, refusals(chunk, this.pool));
      return { do: chunk.again === undefined ? "give-up" : "unchecked", failure };
    });
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

  /** Takes out what will never run, while other slots could do something. Where none can, it is the run that cannot go on. */
  private hopeless(): Retry[] {
    if (this.waiting.size === 0 || this.pool.usableSlots === 0) return [];
    return this.waiting.drain(({ chunk }) => isHopeless(chunk, this.pool));
  }
}

function unplaceable(chunk: Chunk, attempt: number, why: string[]): Failure {
  const reason = `no slot fits:${why.map((line) => `\n    ${line}`).join("")}`;
  return { chunk: chunk.id, node: "-", slot: -1, attempt, exit: null, signal: null, reason, stderr: "" };
}

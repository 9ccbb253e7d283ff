import type { Chunk } from "../../job/job.js";
import type { Failure, Instruction } from "../events.js";
import type { ChunkSource } from "../queue/chunksource.js";
import type { PendingChunk } from "../queue/pendingchunk.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import { explainInfeasible, isNeverFeasible } from "../slots/feasibility.js";
import type { Pool } from "../slots/pool.js";

/** A chunk that any slot may have. */
const ANY_CHUNK: Pick<Chunk, "gpu"> = {};

/** Knows when nothing is left to do, and what will never be done. */
export class Completion {
  private hasEnded = false;
  private lastReported = "";

  constructor(
    private readonly pool: Pool,
    private readonly source: ChunkSource,
    private readonly retryQueue: RetryQueue,
  ) {}

  /** Nothing is under way: either all is done, or what waits fits no slot that there is. */
  finishRun(): Instruction[] {
    const out = this.takeInfeasible().map(({ chunk, history }): Instruction => {
      const failure = infeasibleFailure(chunk, history.length + 1, explainInfeasible(chunk, this.pool));
      return { do: chunk.firstResult === undefined ? "give-up" : "skip-recheck", failure };
    });
    if (this.source.left > 0n || this.retryQueue.size > 0 || this.hasEnded) return out;
    this.hasEnded = true;
    out.push({ do: "end" });
    return out;
  }

  /** What keeps all work from every slot, while some is left and none is under way; once for each state of things. */
  reportStuck(): Instruction[] {
    if (this.hasEnded || (this.source.left === 0n && this.retryQueue.size === 0)) return [];
    const chunk = this.retryQueue.first();
    const reasons =
      chunk === undefined && this.pool.usableSlots > 0 ? [] : explainInfeasible(chunk ?? ANY_CHUNK, this.pool);
    const text = reasons.join("\n");
    if (text === this.lastReported) return [];
    this.lastReported = text;
    return reasons.length === 0 ? [] : [{ do: "stuck", reasons }];
  }

  /** Takes out what will never run, while other slots could do something. Where none can, it is the run that cannot go on. */
  private takeInfeasible(): PendingChunk[] {
    if (this.retryQueue.size === 0 || this.pool.usableSlots === 0) return [];
    return this.retryQueue.takeMatching(({ chunk }) => isNeverFeasible(chunk, this.pool));
  }
}

function infeasibleFailure(chunk: Chunk, attempt: number, why: string[]): Failure {
  const reason = `no slot fits:${why.map((line) => `\n    ${line}`).join("")}`;
  return { chunk: chunk.id, node: "-", slot: -1, attempt, exit: null, signal: null, reason, stderr: "" };
}

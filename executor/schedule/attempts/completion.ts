import type { Chunk, Job } from "../../job/job.js";
import type { Failure, Instruction } from "../events.js";
import type { ChunkSource } from "../queue/chunksource.js";
import type { PendingChunk } from "../queue/pendingchunk.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import type { Deadlines, SlotRequest } from "../slots/deadlines.js";
import { type DeadlineCheck, explainInfeasible, isNeverFeasible } from "../slots/feasibility.js";
import type { Pool } from "../slots/pool.js";

/** Decides when the run has ended, and which chunks can never run. */
export class Completion {
  private hasEnded = false;
  private lastReported = "";

  constructor(
    private readonly job: Pick<Job, "gpuCounts">,
    private readonly pool: Pool,
    private readonly source: ChunkSource,
    private readonly retryQueue: RetryQueue,
    private readonly deadlines: Deadlines,
  ) {}

  /** Called when nothing is in flight. Gives up chunks that fit no slot, and ends the run if no work is left. */
  finishRun(now: number): Instruction[] {
    const out = this.takeInfeasible(now).map((pending): Instruction => {
      const { chunk, history } = pending;
      const reasons = explainInfeasible(chunk, this.pool, this.checkFor(now, pending));
      const failure = infeasibleFailure(chunk, history.length + 1, reasons);
      return { do: chunk.firstResult === undefined ? "give-up" : "skip-recheck", failure };
    });
    if (this.source.left > 0n || this.retryQueue.size > 0 || this.source.isOpen || this.hasEnded) return out;
    this.hasEnded = true;
    out.push({ do: "end" });
    return out;
  }

  /** Returns why no slot can take work although some is left and none is in flight; once for each set of reasons. */
  reportStuck(now: number): Instruction[] {
    if (this.hasEnded || (this.source.left === 0n && this.retryQueue.size === 0)) return [];
    const chunk = this.retryQueue.first();
    const reasons = this.explainStuck(chunk, now);
    const text = reasons.join("\n");
    if (text === this.lastReported) return [];
    this.lastReported = text;
    return reasons.length === 0 ? [] : [{ do: "stuck", reasons }];
  }

  /** `chunk`: one that waits; undefined = only chunks that nobody was given are left. */
  private explainStuck(chunk: Chunk | undefined, now: number): string[] {
    const gpus = this.job.gpuCounts?.fewest;
    if (chunk !== undefined) return explainInfeasible(chunk, this.pool, this.checkFor(now, { chunk }));
    if (this.pool.usableSlots > 0 && gpus === undefined) return [];
    return explainInfeasible({ spec: { gpus } }, this.pool, this.checkFor(now));
  }

  private checkFor(now: number, request?: SlotRequest): DeadlineCheck {
    return { deadlines: this.deadlines, now, ...(request === undefined ? {} : { request }) };
  }

  /** Removes chunks that can never run. If no slot is usable at all, nothing is removed: the run waits. */
  private takeInfeasible(now: number): PendingChunk[] {
    if (this.retryQueue.size === 0 || this.pool.usableSlots === 0) return [];
    return this.retryQueue.takeMatching((pending) =>
      isNeverFeasible(pending.chunk, this.pool, this.checkFor(now, pending)),
    );
  }
}

function infeasibleFailure(chunk: Chunk, attempt: number, why: string[]): Failure {
  const reason = `no slot fits:${why.map((line) => `\n    ${line}`).join("")}`;
  return { chunk: chunk.id, node: "-", slot: -1, attempt, exit: null, signal: null, reason, stderr: "" };
}

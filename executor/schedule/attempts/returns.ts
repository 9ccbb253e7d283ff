import type { Job } from "../../job/job.js";
import type { Attempt, Failure, Instruction } from "../events.js";
import { backoff } from "../queue/retry.js";
import type { Waiting } from "../queue/waiting.js";
import { type Blame, tries } from "../slots/blame.js";
import { isGivenUp, lossReason } from "../slots/losses.js";
import type { Pool } from "../slots/pool.js";
import type { Attempts, Underway } from "./underway.js";

/** What becomes of chunks that come back without a result: given to others, later or at once, or given up. */
export class Returns {
  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly attempts: Attempts,
    private readonly waiting: Waiting,
    private readonly blame: Blame,
  ) {}

  /** An attempt failed: whose fault it is, and whether its chunk is tried again. */
  failed(id: string, failure: Failure, now: number): Instruction[] {
    const underway = this.attempts.release(id);
    if (underway === undefined) return [];
    const { attempt, history, twin } = underway;
    const { chunk, node, slot } = attempt;
    const out = this.blame.failed(node, slot, chunk, history, failure.reason, now);
    out.push(...this.withdrawFrom(node, slot));
    if (twin !== undefined) return out;
    if (this.blame.isOver(history))
      return [...out, { do: chunk.again === undefined ? "give-up" : "unchecked", failure }];
    this.retryLater(underway, now);
    return out;
  }

  /** The agent died while an attempt ran, and the node stayed up: the chunk may have caused that, or only have been there. */
  agentDied(underway: Underway, now: number): Instruction[] {
    const out = [this.countLoss(underway)];
    if (underway.twin !== undefined) return out;
    if (isGivenUp(underway.history, this.job.retry.attempts)) return [...out, giveUp(underway)];
    this.retryLater(underway, now);
    return out;
  }

  /** The same for an attempt that was left on its node: its chunk waits meanwhile, or runs elsewhere, and then may end there. */
  leftAgentDied(left: Underway): Instruction[] {
    const out = [this.countLoss(left)];
    if (!isGivenUp(left.history, this.job.retry.attempts)) return out;
    return this.waiting.withdraw(left.history) ? [...out, giveUp(left)] : out;
  }

  /** Adds a loss to what a chunk has been through. */
  private countLoss({ attempt, slot, history, alone }: Underway): Instruction {
    history.push({ node: attempt.node, slot: slot.key, forgiven: false, agentDied: true, alone });
    return { do: "report-loss", failure: lossOf(attempt, "its node's agent died while it ran") };
  }

  private retryLater({ attempt, history }: Underway, now: number): void {
    const at = now + backoff(this.job.retry.backoff, Math.max(1, tries(history)));
    this.waiting.add({ chunk: attempt.chunk, history, at });
  }

  /** Has what is queued on a slot that was taken out come back. */
  withdrawFrom(node: string, slot: number): Instruction[] {
    const { quarantine, sick } = this.pool.health(node, slot);
    if (quarantine === undefined && sick === undefined) return [];
    const queued = this.attempts.onSlot(node, slot, "queued").filter(({ leaving }) => !leaving);
    for (const underway of queued) underway.leaving = true;
    return queued.length === 0 ? [] : [{ do: "withdraw", node, ids: queued.map(({ attempt }) => attempt.id) }];
  }

  /** An attempt went for no fault of its chunk. */
  lost(id: string, now: number): void {
    const underway = this.attempts.release(id);
    if (underway !== undefined) this.requeue(underway, now);
  }

  /**
   * It stays where it is, out of reach: its chunk is for whoever is free first, and that may be its node come back. A chunk
   * that used up its tries while this attempt ran is given up.
   */
  leave(id: string, now: number): Instruction[] {
    const underway = this.attempts.leave(id);
    if (underway === undefined || underway.twin !== undefined) return [];
    const { attempt, history } = underway;
    if (isGivenUp(history, this.job.retry.attempts)) return [giveUp(underway)];
    this.waiting.add({ chunk: attempt.chunk, history, at: now, left: id });
    return [];
  }

  requeue({ attempt, slot, history, twin }: Underway, now: number): void {
    if (twin !== undefined) return;
    this.waiting.add({ chunk: attempt.chunk, history, at: now, heavy: slot.short ? slot.node : undefined });
  }
}

function giveUp({ attempt, history }: Underway): Instruction {
  const failure = lossOf(attempt, lossReason(history));
  return { do: attempt.chunk.again === undefined ? "give-up" : "unchecked", failure };
}

function lossOf({ chunk, node, slot, number: attempt }: Attempt, reason: string): Failure {
  return { chunk: chunk.id, node, slot, attempt, exit: null, signal: null, reason, stderr: "" };
}

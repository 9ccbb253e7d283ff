import type { Job } from "../../job/job.js";
import type { Attempt, Failure, Instruction } from "../events.js";
import { backoffSeconds } from "../queue/pendingchunk.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import { describeAgentDeaths, isGivenUpAfterDeath } from "../slots/agentdeaths.js";
import type { Pool } from "../slots/pool.js";
import { countTries, type QuarantineTracker } from "../slots/quarantine.js";
import type { InFlightAttempt, InFlightAttempts } from "./inflight.js";

/** What becomes of chunks that come back without a result: given to others, later or at once, or given up. */
export class Requeuer {
  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly attempts: InFlightAttempts,
    private readonly retryQueue: RetryQueue,
    private readonly quarantine: QuarantineTracker,
  ) {}

  /** An attempt failed: whose fault it is, and whether its chunk is tried again. */
  handleFailure(id: string, failure: Failure, now: number): Instruction[] {
    const underway = this.attempts.release(id);
    if (underway === undefined) return [];
    const { attempt, history, speculativeCopy: twin } = underway;
    const { chunk, node, slot } = attempt;
    const out = this.quarantine.recordFailure(node, slot, chunk, history, failure.reason, now);
    out.push(...this.withdrawQueued(node, slot));
    if (twin !== undefined) return out;
    if (this.quarantine.isExhausted(history))
      return [...out, { do: chunk.firstResult === undefined ? "give-up" : "skip-recheck", failure }];
    this.retryLater(underway, now);
    return out;
  }

  /** The agent died while an attempt ran, and the node stayed up: the chunk may have caused that, or only have been there. */
  handleAgentDeath(underway: InFlightAttempt, now: number): Instruction[] {
    const out = [this.recordAgentDeath(underway)];
    if (underway.speculativeCopy !== undefined) return out;
    if (isGivenUpAfterDeath(underway.history, this.job.retry.attempts)) return [...out, giveUp(underway)];
    this.retryLater(underway, now);
    return out;
  }

  /** The same for an attempt that was left on its node: its chunk waits meanwhile, or runs elsewhere, and then may end there. */
  handleLeftAgentDeath(left: InFlightAttempt): Instruction[] {
    const out = [this.recordAgentDeath(left)];
    if (!isGivenUpAfterDeath(left.history, this.job.retry.attempts)) return out;
    return this.retryQueue.removeByHistory(left.history) ? [...out, giveUp(left)] : out;
  }

  /** Adds a loss to what a chunk has been through. */
  private recordAgentDeath({ attempt, slot, history, isExclusive: alone }: InFlightAttempt): Instruction {
    history.push({ node: attempt.node, slot: slot.key, forgiven: false, agentDied: true, wasExclusive: alone });
    return { do: "report-loss", failure: agentDeathFailure(attempt, "its node's agent died while it ran") };
  }

  private retryLater({ attempt, history }: InFlightAttempt, now: number): void {
    const at = now + backoffSeconds(this.job.retry.backoff, Math.max(1, countTries(history)));
    this.retryQueue.add({ chunk: attempt.chunk, history, dueAt: at });
  }

  /** Has what is queued on a slot that was taken out come back. */
  withdrawQueued(node: string, slot: number): Instruction[] {
    const { quarantine, sick } = this.pool.health(node, slot);
    if (quarantine === undefined && sick === undefined) return [];
    const queued = this.attempts.listOnSlot(node, slot, "queued").filter(({ isWithdrawn: leaving }) => !leaving);
    for (const underway of queued) underway.isWithdrawn = true;
    return queued.length === 0 ? [] : [{ do: "withdraw", node, ids: queued.map(({ attempt }) => attempt.id) }];
  }

  /** An attempt went for no fault of its chunk. */
  requeueAttempt(id: string, now: number): void {
    const underway = this.attempts.release(id);
    if (underway !== undefined) this.requeue(underway, now);
  }

  /**
   * It stays where it is, out of reach: its chunk is for whoever is free first, and that may be its node come back. A chunk
   * that used up its tries while this attempt ran is given up.
   */
  requeueLeaving(id: string, now: number): Instruction[] {
    const underway = this.attempts.leaveBehind(id);
    if (underway === undefined || underway.speculativeCopy !== undefined) return [];
    const { attempt, history } = underway;
    if (isGivenUpAfterDeath(history, this.job.retry.attempts)) return [giveUp(underway)];
    this.retryQueue.add({ chunk: attempt.chunk, history, dueAt: now, leftAttempt: id });
    return [];
  }

  requeue({ attempt, slot, history, speculativeCopy: twin }: InFlightAttempt, now: number): void {
    if (twin !== undefined) return;
    this.retryQueue.add({
      chunk: attempt.chunk,
      history,
      dueAt: now,
      outOfMemoryNode: slot.isMemoryShort ? slot.node : undefined,
    });
  }
}

function giveUp({ attempt, history }: InFlightAttempt): Instruction {
  const failure = agentDeathFailure(attempt, describeAgentDeaths(history));
  return { do: attempt.chunk.firstResult === undefined ? "give-up" : "skip-recheck", failure };
}

function agentDeathFailure({ chunk, node, slot, number: attempt }: Attempt, reason: string): Failure {
  return { chunk: chunk.id, node, slot, attempt, exit: null, signal: null, reason, stderr: "" };
}

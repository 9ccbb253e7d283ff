import { formatDuration } from "../../../schemas/numbertext.js";
import type { Job } from "../../job/job.js";
import type { Attempt, Failure, Instruction } from "../events.js";
import { backoffSeconds } from "../queue/pendingchunk.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import { describeAgentDeaths, isGivenUpAfterDeath } from "../slots/agentdeaths.js";
import type { Deadlines } from "../slots/deadlines.js";
import type { Pool } from "../slots/pool.js";
import { type AttemptHistory, countTries, type FailureRecord, type QuarantineTracker } from "../slots/quarantine.js";
import type { InFlightAttempt, InFlightAttempts } from "./inflight.js";
import type { Recomputations } from "./recomputations.js";

/** Decides what happens to a chunk without a result: it is queued again, at once or later, or given up. */
export class Requeuer {
  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly attempts: InFlightAttempts,
    private readonly retryQueue: RetryQueue,
    private readonly quarantine: QuarantineTracker,
    private readonly recomputations: Recomputations,
    private readonly deadlines: Deadlines,
  ) {}

  /** Handles a failed attempt: decides whether the chunk or the slot is at fault, and whether the chunk gets another try. */
  handleFailure(id: string, failure: Failure, now: number): Instruction[] {
    const inFlight = this.attempts.release(id);
    if (inFlight === undefined) return [];
    const { attempt, history } = inFlight;
    const { chunk, node, slot } = attempt;
    const out = failure.fullDisk === undefined ? [] : this.quarantineNode(node, failure.fullDisk, now);
    out.push(...this.quarantine.recordFailure(attempt, history, failure.reason, now));
    out.push(...this.withdrawQueued(node, slot));
    const elsewhere = this.recomputations.leave(inFlight);
    if (elsewhere !== undefined) return [...out, ...elsewhere];
    if (failure.isFinal || this.quarantine.isExhausted(history))
      return [...out, { do: chunk.firstResult === undefined ? "give-up" : "skip-recheck", failure }];
    this.retryLater(inFlight, now);
    return out;
  }

  /** Quarantines a node whose disk is full: neither the chunk nor a slot is at fault. What is queued there goes elsewhere. */
  private quarantineNode(node: string, reason: string, now: number): Instruction[] {
    const out = this.quarantine.quarantineNode(node, reason, now);
    const withdrawn = out.flatMap((one) => (one.do === "quarantine" ? this.withdrawQueued(node, one.slot) : []));
    return [...out, ...withdrawn];
  }

  /** Handles an attempt whose result cannot be published: its chunk is given up at once, and no slot is at fault. */
  handleRefusedResult(id: string, failure: Failure): Instruction[] {
    const inFlight = this.attempts.release(id);
    if (inFlight === undefined) return [];
    return this.recomputations.leave(inFlight) ?? [{ do: "give-up", failure }];
  }

  /** Handles an attempt whose agent died while the node stayed up: the chunk or another one may have caused it. */
  handleAgentDeath(inFlight: InFlightAttempt, now: number): Instruction[] {
    const out = [this.recordAgentDeath(inFlight)];
    const elsewhere = this.recomputations.leave(inFlight);
    if (elsewhere !== undefined) return [...out, ...elsewhere];
    if (isGivenUpAfterDeath(inFlight.history, this.job.retry.attempts)) return [...out, giveUp(inFlight)];
    this.retryLater(inFlight, now);
    return out;
  }

  /**
   * Handles the same for an attempt that was left behind: its chunk is queued or runs elsewhere by now, and may be given
   * up.
   */
  handleLeftAgentDeath(left: InFlightAttempt): Instruction[] {
    const out = [this.recordAgentDeath(left)];
    if (!isGivenUpAfterDeath(left.history, this.job.retry.attempts)) return out;
    return this.retryQueue.removeByHistory(left.history) ? [...out, giveUp(left)] : out;
  }

  /** Records the death of an agent in the chunk's history, whichever attempt the chunk has by now. */
  private recordAgentDeath({ attempt, slot, history, isExclusive, heirs }: InFlightAttempt): Instruction {
    const death: FailureRecord = {
      node: attempt.node,
      slot: slot.key,
      forgiven: false,
      agentDied: true,
      wasExclusive: isExclusive,
    };
    for (const one of [history, ...heirs.map((heir) => heir.history)]) one.push(death);
    return { do: "report-loss", failure: agentDeathFailure(attempt, "its node's agent died while it ran") };
  }

  private retryLater({ attempt, history, longestRunSeconds }: InFlightAttempt, now: number): void {
    const at = now + backoffSeconds(this.job.retry.backoff, Math.max(1, countTries(history)));
    this.retryQueue.add({ chunk: attempt.chunk, history, dueAt: at, longestRunSeconds });
  }

  /** Withdraws the queued attempts of a slot that is quarantined, sick or drained. */
  withdrawQueued(node: string, slot: number): Instruction[] {
    const { quarantine, sick, drained } = this.pool.health(node, slot);
    if (quarantine === undefined && sick === undefined && drained === undefined) return [];
    const queued = this.attempts.listOnSlot(node, slot, "queued").filter(({ isWithdrawn }) => !isWithdrawn);
    for (const inFlight of queued) inFlight.isWithdrawn = true;
    return queued.length === 0 ? [] : [{ do: "withdraw", node, ids: queued.map(({ attempt }) => attempt.id) }];
  }

  /** Queues the chunk of an attempt that ended for no fault of the chunk. */
  requeueAttempt(id: string, now: number): Instruction[] {
    const inFlight = this.attempts.release(id);
    if (inFlight === undefined) return [];
    const out = this.recordCutOff(inFlight, now);
    return [...out, ...this.requeue(inFlight, now)];
  }

  /**
   * Learns how long an attempt ran on a node that ends, if it was ended there. A chunk that had all the time that nodes offer uses up a
   * try, because it cannot end on another one either; it is given up where that is certain.
   */
  private recordCutOff(inFlight: InFlightAttempt, until: number): Instruction[] {
    const { attempt, phase, since, slot, history } = inFlight;
    if (slot.home.deadline === undefined || phase !== "running") return [];
    const seconds = until - since;
    inFlight.longestRunSeconds = Math.max(seconds, inFlight.longestRunSeconds ?? 0);
    const usesTry = this.deadlines.recordCutOff(attempt.chunk, slot, seconds, until);
    const isHopeless = this.deadlines.isHopeless(attempt.chunk, slot, seconds, until);
    if (!usesTry && !isHopeless) return [];
    const reason = `its node ended after it had run for ${formatDuration(seconds)}, and no other one lasts longer`;
    const failure = attemptFailure(attempt, reason, seconds);
    const record: FailureRecord = { node: attempt.node, slot: slot.key, forgiven: false, wasCutOff: true };
    history.push(isHopeless ? { ...record, wasHopeless: true } : record);
    return [{ do: "report-loss", failure }];
  }

  /**
   * Queues the chunk of an attempt on a lost node. The attempt stays there, and is taken over if the node comes back before
   * another slot is free. A chunk without tries left is given up.
   */
  requeueLeaving(id: string, now: number): Instruction[] {
    const inFlight = this.attempts.leaveBehind(id);
    if (inFlight === undefined) return [];
    const out = this.recordCutOff(inFlight, inFlight.slot.home.disconnectedAt ?? now);
    const elsewhere = this.recomputations.leave(inFlight);
    if (elsewhere !== undefined) return [...out, ...elsewhere];
    const { attempt, history, longestRunSeconds } = inFlight;
    if (isGivenUpAfterDeath(history, this.job.retry.attempts)) return [...out, giveUp(inFlight)];
    if (this.isCutOffTooOften(history)) return [...out, this.giveUpCutOff(inFlight)];
    this.retryQueue.add({ chunk: attempt.chunk, history, dueAt: now, leftAttempt: id, longestRunSeconds });
    return out;
  }

  /** Queues the chunk of an attempt that is no longer in flight, unless its units are in other hands. */
  requeue(inFlight: InFlightAttempt, now: number): Instruction[] {
    const elsewhere = this.recomputations.leave(inFlight);
    if (elsewhere !== undefined) return elsewhere;
    const { attempt, slots, history, longestRunSeconds } = inFlight;
    if (this.isCutOffTooOften(history)) return [this.giveUpCutOff(inFlight)];
    this.retryQueue.add({
      chunk: attempt.chunk,
      history,
      dueAt: now,
      longestRunSeconds,
      outOfMemoryNode: slots.some((slot) => slot.isMemoryShort) ? attempt.node : undefined,
    });
    return [];
  }

  private isCutOffTooOften(history: AttemptHistory): boolean {
    const last = history.at(-1);
    return last?.wasCutOff === true && (last.wasHopeless === true || this.quarantine.isExhausted(history));
  }

  private giveUpCutOff({ attempt, history, longestRunSeconds = 0 }: InFlightAttempt): Instruction {
    const nodes = history.filter(({ wasCutOff }) => wasCutOff === true).map(({ node }) => node);
    const ran = `it ran for ${formatDuration(longestRunSeconds)} without ending before its node did (on ${nodes.join(", ")})`;
    const { advice } = this.deadlines.declared ?? {};
    const failure = attemptFailure(attempt, advice === undefined ? ran : `${ran}; ${advice}`, longestRunSeconds);
    return { do: attempt.chunk.firstResult === undefined ? "give-up" : "skip-recheck", failure };
  }
}

function giveUp({ attempt, history }: InFlightAttempt): Instruction {
  const failure = agentDeathFailure(attempt, describeAgentDeaths(history));
  return { do: attempt.chunk.firstResult === undefined ? "give-up" : "skip-recheck", failure };
}

function attemptFailure(attempt: Attempt, reason: string, seconds: number): Failure {
  return { ...agentDeathFailure(attempt, reason), seconds };
}

function agentDeathFailure({ chunk, node, slot, number: attempt }: Attempt, reason: string): Failure {
  return { chunk: chunk.id, node, slot, attempt, exit: null, signal: null, reason, stderr: "" };
}

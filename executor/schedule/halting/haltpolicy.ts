import type { UnitPart } from "../../../schemas/quantity.js";
import type { Job } from "../../job/job.js";
import type { InFlightAttempt, InFlightAttempts } from "../attempts/inflight.js";
import type { Failure, HaltReason } from "../events.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import type { Pool } from "../slots/pool.js";
import { findFailureKind } from "./failurekind.js";

/** A share of failures is judged once this many chunks have ended; so many different chunks may fail before one has succeeded. */
const MIN_ENDED_CHUNKS = 20;
/** Of failures alike, for the person who has to find the cause. */
const MAX_EXAMPLES = 100;
/** A chunk that runs this long, and that many times as long as those that failed, shows that the program works. */
const PROOF_SECONDS = 30;
const PROOF_FACTOR = 10;
/** How long a node that was lost may keep the run from being halted. */
const REJOIN_SECONDS = 600;

/** Which chunks may start now. `one-retry`: a chunk that failed, as a last test. */
export type Allowance = "all" | "none" | "one-retry";

/** The failures of one kind, of different chunks. */
interface AlikeFailures {
  readonly chunks: Set<string>;
  readonly examples: Failure[];
}

/**
 * Decides when a run stops because its program, or too much of its input, is at fault. Before one chunk has succeeded, every slot tries
 * one chunk; then those that failed try another one, and so on. If different chunks fail alike meanwhile, no other one starts before
 * those that run have ended on all nodes; then one of the failed chunks is tried again, and if it fails, too, the run stops.
 */
export class HaltPolicy {
  private readonly alike = new Map<string, AlikeFailures>();
  private readonly failedChunks = new Set<string>();
  private readonly examples: Failure[] = [];
  private readonly givenUp: Failure[] = [];
  private givenUpCount = 0;
  private longestFailureSeconds = 0;
  private hasRetried = false;
  private hasToldWait = false;
  /** When nodes were lost that may come back (seconds), by name. */
  private readonly lostAt = new Map<string, number>();
  private isTrialOver: boolean;
  private hasSucceeded: boolean;

  /** `committedCount`: the chunks that earlier sessions of the run have committed. */
  constructor(
    private readonly job: Pick<Job, "halt" | "retry">,
    private readonly pool: Pool,
    private readonly attempts: InFlightAttempts,
    private readonly retryQueue: RetryQueue,
    private committedCount: number,
  ) {
    this.hasSucceeded = committedCount > 0;
    this.isTrialOver = this.hasSucceeded || job.halt.alike === 0;
    if (!this.isTrialOver) pool.setTrial(true);
  }

  recordCommit(): void {
    this.committedCount++;
    if (this.hasSucceeded) return;
    this.hasSucceeded = true;
    this.endTrial();
  }

  /** Records the failure of an attempt. Those on a slot that is known to be at fault do not count. */
  recordFailure({ attempt, phase, since }: InFlightAttempt, failure: Failure, now: number): void {
    const { node, slot, chunk, number } = attempt;
    const { quarantine, sick } = this.pool.health(node, slot);
    if (this.hasSucceeded || this.job.halt.alike === 0 || quarantine !== undefined || sick !== undefined) return;
    this.pool.setFailedTrial(node, slot);
    if (phase === "running") this.longestFailureSeconds = Math.max(this.longestFailureSeconds, now - since);
    if (number > 1) this.hasRetried = true;
    const kind = findFailureKind(failure);
    const same = this.alike.get(kind) ?? { chunks: new Set(), examples: [] };
    this.alike.set(kind, same);
    if (!same.chunks.has(chunk.id) && same.examples.length < MAX_EXAMPLES) same.examples.push(failure);
    same.chunks.add(chunk.id);
    if (!this.failedChunks.has(chunk.id) && this.examples.length < MAX_EXAMPLES) this.examples.push(failure);
    this.failedChunks.add(chunk.id);
  }

  /** Records a chunk that is given up because its attempts failed. */
  recordGivenUp(failure: Failure): void {
    this.givenUpCount++;
    if (this.givenUp.length < MAX_EXAMPLES) this.givenUp.push(failure);
  }

  /** Records that a node was lost. One that had joined may come back. */
  recordLost(node: string, now: number): void {
    if (this.pool.nodes.has(node)) this.lostAt.set(node, now);
  }

  recordJoin(node: string): void {
    this.lostAt.delete(node);
  }

  /** Returns which chunks may start now. Begins a new round of the trial where all chunks of the last one have failed. */
  allow(areNodesAwaited: boolean, now: number): Allowance {
    if (!this.isTrialOver && this.failedChunks.size > 0 && this.hasLongAttempt(now)) this.endTrial();
    if (this.findSuspicion() !== undefined) {
      if (this.attempts.size > 0 || this.isAwaiting(areNodesAwaited, now)) return "none";
      this.pool.setTrial(true);
      return this.mayRetry ? "one-retry" : "none";
    }
    if (!this.isTrialOver && this.attempts.size === 0) this.pool.setTrial(true);
    return "all";
  }

  /** The chunk that was to be tried again fits no slot. */
  forgoRetry(): void {
    this.hasRetried = true;
  }

  /** Returns why the run is to stop now; undefined = it is not. `areNodesAwaited`: more nodes may join. */
  findReason(areNodesAwaited: boolean, now: number): HaltReason | undefined {
    const many = this.findManyFailures();
    if (many !== undefined) return many;
    if (this.attempts.size > 0 || this.mayRetry || this.isAwaiting(areNodesAwaited, now)) return undefined;
    return this.findSuspicion();
  }

  /** Returns once why no other chunk may start before those that run have ended; undefined = others may, or none runs. */
  takeWaitReason(): string | undefined {
    const found = this.hasToldWait ? undefined : this.findSuspicion();
    if (found === undefined || ![...this.attempts.values()].some(({ attempt }) => attempt.number === 1))
      return undefined;
    this.hasToldWait = true;
    return `${found.reason}: no other chunk starts before those that run (${this.attempts.size}) have ended`;
  }

  /** When a decision may change although nothing happens (seconds); undefined = never. */
  nextDecisionAt(now: number): number | undefined {
    if (this.hasSucceeded || this.failedChunks.size === 0) return undefined;
    const proofs = this.isTrialOver
      ? []
      : [...this.attempts.values()].flatMap(({ phase, since }) =>
          phase === "running" ? [since + this.proofSeconds] : [],
        );
    const rejoins = [...this.lostAt.values()].map((at) => at + REJOIN_SECONDS);
    const all = [...proofs, ...rejoins].filter((at) => at > now);
    return all.length === 0 ? undefined : Math.min(...all);
  }

  private endTrial(): void {
    this.isTrialOver = true;
    this.alike.clear();
    this.pool.setTrial(false);
  }

  private get proofSeconds(): number {
    return Math.max(PROOF_SECONDS, PROOF_FACTOR * this.longestFailureSeconds);
  }

  private hasLongAttempt(now: number): boolean {
    for (const { phase, since } of this.attempts.values())
      if (phase === "running" && now - since >= this.proofSeconds) return true;
    return false;
  }

  /** Whether a chunk that failed can be tried again before the run stops. */
  private get mayRetry(): boolean {
    return !this.hasRetried && this.job.retry.attempts > 1 && this.retryQueue.size > 0;
  }

  private isAwaiting(areNodesAwaited: boolean, now: number): boolean {
    return areNodesAwaited || [...this.lostAt.values()].some((at) => now < at + REJOIN_SECONDS);
  }

  private findSuspicion(): HaltReason | undefined {
    if (this.hasSucceeded) return undefined;
    for (const { chunks, examples } of this.isTrialOver ? [] : this.alike.values())
      if (chunks.size >= this.job.halt.alike)
        return {
          reason: `${chunks.size} chunks failed alike, and none has succeeded`,
          rule: "alike",
          failures: examples,
        };
    if (this.failedChunks.size < MIN_ENDED_CHUNKS) return undefined;
    const reason = `${this.failedChunks.size} different chunks failed, and none has succeeded`;
    return { reason, rule: "alike", failures: this.examples };
  }

  private findManyFailures(): HaltReason | undefined {
    const { givenUpCount: failed, givenUp: failures } = this;
    const limit = this.job.halt.failures;
    const ended = failed + this.committedCount;
    if (limit === undefined || !isReached(limit, failed, ended)) return undefined;
    const allowed = "count" in limit ? `${limit.count}` : formatPercent(limit.numerator, limit.denominator);
    const reason = `${failed} of ${ended} chunks failed, and \`halt.failures\` of the job is ${allowed}`;
    return { reason, rule: "failures", failures };
  }
}

function isReached(limit: UnitPart, failed: number, ended: number): boolean {
  if ("count" in limit) return BigInt(failed) >= limit.count;
  const { numerator, denominator } = limit;
  return ended >= MIN_ENDED_CHUNKS && BigInt(failed) * denominator >= BigInt(ended) * numerator;
}

function formatPercent(numerator: bigint, denominator: bigint): string {
  return `${Number((numerator * 1_000_000n) / denominator) / 10_000} %`;
}

import type { UnitPart } from "../../../schemas/quantity.js";
import type { HaltRules } from "../../job/job.js";
import type { InFlightAttempts } from "../attempts/inflight.js";
import type { Attempt, Failure, HaltReason } from "../events.js";
import type { Pool } from "../slots/pool.js";
import { findFailureKind } from "./failurekind.js";

/** A share of failures is judged once this many chunks have ended. */
const MIN_ENDED_CHUNKS = 20;
/** Of failures alike, for the person who has to find the cause. */
const MAX_EXAMPLES = 3;

/** The failures of one kind, of different chunks. */
interface AlikeFailures {
  readonly chunks: Set<string>;
  readonly nodes: Set<string>;
  readonly examples: Failure[];
}

/**
 * Decides when a run stops because its program, or too much of its input, is at fault. Before one chunk has succeeded, every slot tries
 * one chunk; then those that failed try another one, and so on. If different chunks fail alike meanwhile, no other chunk would succeed.
 */
export class HaltPolicy {
  private readonly alike = new Map<string, AlikeFailures>();
  private readonly givenUp: Failure[] = [];
  private givenUpCount = 0;
  private committedCount = 0;
  private hasSucceeded: boolean;

  /** `hasSucceededBefore`: whether an earlier session of the run has committed a chunk. */
  constructor(
    private readonly rules: HaltRules,
    private readonly pool: Pool,
    private readonly attempts: InFlightAttempts,
    hasSucceededBefore: boolean,
  ) {
    this.hasSucceeded = hasSucceededBefore;
    if (!this.isProven) pool.setTrial(true);
  }

  /** Whether the program is known to work: slots get chunks without a limit. */
  get isProven(): boolean {
    return this.hasSucceeded || this.rules.alike === 0;
  }

  recordCommit(): void {
    this.committedCount++;
    if (this.hasSucceeded) return;
    this.hasSucceeded = true;
    this.alike.clear();
    this.pool.setTrial(false);
  }

  /** Records the failure of an attempt. Those on a slot that is known to be at fault do not count. */
  recordFailure({ node, slot, chunk }: Attempt, failure: Failure): void {
    const { quarantine, sick } = this.pool.health(node, slot);
    if (this.isProven || quarantine !== undefined || sick !== undefined) return;
    this.pool.setFailedTrial(node, slot);
    const kind = findFailureKind(failure);
    const same = this.alike.get(kind) ?? { chunks: new Set(), nodes: new Set(), examples: [] };
    this.alike.set(kind, same);
    if (!same.chunks.has(chunk.id) && same.examples.length < MAX_EXAMPLES) same.examples.push(failure);
    same.chunks.add(chunk.id);
    same.nodes.add(node);
  }

  /** Records a chunk that is given up because its attempts failed. */
  recordGivenUp(failure: Failure): void {
    this.givenUpCount++;
    if (this.givenUp.length < MAX_EXAMPLES) this.givenUp.push(failure);
  }

  /** Lets slots try another chunk where none has succeeded and none is running, unless only a node that may still join decides. */
  startRound(areNodesAwaited: boolean): void {
    if (this.isProven || this.attempts.size > 0 || (areNodesAwaited && this.findAlike() !== undefined)) return;
    this.pool.setTrial(true);
  }

  /** Returns why the run is to stop now; undefined = it is not. `areNodesAwaited`: more nodes may join. */
  findReason(areNodesAwaited: boolean): HaltReason | undefined {
    const same = this.findAlike();
    if (same !== undefined && !this.mayAnotherNodeSucceed(same, areNodesAwaited)) {
      const reason = `${same.chunks.size} chunks failed alike, and none has succeeded`;
      return { reason, rule: "alike", failures: same.examples };
    }
    return this.findManyFailures();
  }

  private findAlike(): AlikeFailures | undefined {
    for (const same of this.alike.values()) if (same.chunks.size >= this.rules.alike) return same;
    return undefined;
  }

  private mayAnotherNodeSucceed({ nodes }: AlikeFailures, areNodesAwaited: boolean): boolean {
    if (nodes.size > 1) return false;
    if (areNodesAwaited) return true;
    for (const { attempt } of this.attempts.values()) if (!nodes.has(attempt.node)) return true;
    return false;
  }

  private findManyFailures(): HaltReason | undefined {
    const { givenUpCount: failed, givenUp: failures } = this;
    const ended = failed + this.committedCount;
    if (!this.isProven && failed >= MIN_ENDED_CHUNKS)
      return { reason: `none of the first ${failed} chunks succeeded`, rule: "alike", failures };
    const limit = this.rules.failures;
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

import type { Job } from "../../job/job.js";
import type { Instruction } from "../events.js";
import type { ChunkSource } from "../queue/chunksource.js";
import type { PendingChunk } from "../queue/pendingchunk.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import { hasEnded, type InFlightAttempt, type InFlightAttempts } from "./inflight.js";

/**
 * The chunks that are to be stopped, until they are committed. One that waits is parked: it does not start any more, and is committed
 * without outputs once it is known that no node has it.
 */
export class ChunkStops {
  private readonly wanted = new Set<string>();
  private readonly parked = new Map<string, PendingChunk>();

  constructor(
    private readonly job: Job,
    private readonly attempts: InFlightAttempts,
    private readonly retryQueue: RetryQueue,
    private readonly source: ChunkSource,
  ) {}

  /** Whether chunks wait to be committed without outputs. */
  get hasParked(): boolean {
    return this.parked.size > 0;
  }

  isWanted(chunk: string): boolean {
    return this.wanted.has(chunk);
  }

  /** Stops a chunk: parks it, or ends its attempts. */
  request(chunk: string): Instruction[] {
    if (this.wanted.has(chunk)) return [];
    this.wanted.add(chunk);
    this.park(chunk);
    return this.stopAttempts([...this.attempts.values()]);
  }

  /** Ends what a node that has joined holds of chunks that are to be stopped. */
  handleJoin(node: string): Instruction[] {
    return this.wanted.size === 0 ? [] : this.stopAttempts(this.attempts.listOnNode(node));
  }

  /** Returns a parked chunk to a node that has joined with an attempt at it; undefined = it is not parked. */
  reclaim(chunk: string): PendingChunk | undefined {
    const found = this.parked.get(chunk);
    this.parked.delete(chunk);
    return found;
  }

  /** Parks chunks that lost their node meanwhile. Has those committed that no node can have any more. */
  review(haveAllJoined: boolean): Instruction[] {
    for (const chunk of this.wanted) if (!this.parked.has(chunk)) this.park(chunk);
    if (!haveAllJoined) return [];
    const ready = [...this.parked.values()];
    for (const { chunk } of ready) this.settle(chunk.id);
    return ready.map(({ chunk, history }) => ({ do: "commit-stopped", chunk, number: history.length }));
  }

  /** Forgets a chunk that is committed or given up. Returns whether it was to be stopped. */
  settle(chunk: string): boolean {
    this.parked.delete(chunk);
    return this.wanted.delete(chunk);
  }

  private park(id: string): void {
    const waiting = this.retryQueue.takeUnstarted(id);
    const units = this.job.unitsOf(id);
    if (waiting !== undefined) this.parked.set(id, waiting);
    else if (units !== undefined && this.source.remove(...units))
      this.parked.set(id, { chunk: this.job.chunk(...units), history: [], dueAt: 0 });
  }

  private stopAttempts(inFlight: readonly InFlightAttempt[]): Instruction[] {
    return inFlight
      .filter((one) => !hasEnded(one) && this.wanted.has(one.attempt.chunk.id) && !one.attempt.chunk.firstResult)
      .map(({ attempt }) => ({ do: "stop", node: attempt.node, ids: [attempt.id] }));
  }
}

import type { Chunk } from "../../job/job.js";
import { needsExclusiveNode } from "../slots/agentdeaths.js";
import { Heap } from "../slots/heap.js";
import type { AttemptHistory } from "../slots/quarantine.js";
import type { PendingChunk } from "./pendingchunk.js";

/** Chunks that were taken from the source but are with no slot: to be tried again, or pinned to a GPU that was busy. */
export class RetryQueue {
  /** Those that are due, by pinned GPU (undefined: any), each in the order of arrival. */
  private readonly due = new Map<number | undefined, Set<PendingChunk>>();
  /** Those that are due and need a node to themselves, in the order of arrival. */
  readonly exclusive = new Set<PendingChunk>();
  private readonly later = new Heap<PendingChunk>((a, b) => a.dueAt < b.dueAt);
  private count = 0;

  /** `attempts`: tries that a chunk has. */
  constructor(private readonly maxTries: number) {}

  get size(): number {
    return this.count;
  }

  /** Adds a chunk; it is due once `wake` is told a time at or after its own. */
  add(retry: PendingChunk): void {
    this.later.put(retry);
    this.count++;
  }

  /** Lets those whose time has come be found. */
  releaseDue(now: number): void {
    for (let first = this.later.peek(); first !== undefined && first.dueAt <= now; first = this.later.peek()) {
      this.later.delete(first);
      if (needsExclusiveNode(first.history, this.maxTries)) this.exclusive.add(first);
      else this.queue(first);
    }
  }

  private queue(retry: PendingChunk): void {
    const { gpu } = retry.chunk;
    const queue = this.due.get(gpu);
    if (queue === undefined) this.due.set(gpu, new Set([retry]));
    else queue.add(retry);
  }

  /** The GPUs that due chunks are pinned to; undefined among them for those that any slot may have. */
  pins(): Iterable<number | undefined> {
    return this.due.keys();
  }

  /** Due chunks pinned to a GPU, first come first. */
  listDue(pin: number | undefined): Iterable<PendingChunk> {
    return this.due.get(pin) ?? [];
  }

  /** A chunk that is due, if there is one. */
  first(): Chunk | undefined {
    for (const queue of this.dueQueues()) for (const { chunk } of queue) return chunk;
    return undefined;
  }

  /** Takes a due chunk out. */
  take(retry: PendingChunk): void {
    const { gpu } = retry.chunk;
    const queue = this.due.get(gpu);
    if (!this.exclusive.delete(retry) && !queue?.delete(retry)) return;
    this.count--;
    if (queue?.size === 0) this.due.delete(gpu);
  }

  /** Takes out the chunk whose attempt was left on a silent node as `left`, now that the node is back. */
  reclaim(left: string): PendingChunk | undefined {
    for (const retry of this.later.values())
      if (retry.leftAttempt === left) {
        this.later.delete(retry);
        this.count--;
        return retry;
      }
    for (const queue of this.dueQueues())
      for (const retry of queue)
        if (retry.leftAttempt === left) {
          this.take(retry);
          return retry;
        }
    return undefined;
  }

  /** Takes out the chunk that has been through this, if it waits. */
  removeByHistory(history: AttemptHistory): boolean {
    for (const retry of this.later.values())
      if (retry.history === history) {
        this.later.delete(retry);
        this.count--;
        return true;
      }
    return this.takeMatching((retry) => retry.history === history).length > 0;
  }

  /** When the next chunk that is not due yet becomes so. */
  nextDueAt(): number | undefined {
    return this.later.peek()?.dueAt;
  }

  /** Takes everything out that is due and `is` so. */
  takeMatching(is: (retry: PendingChunk) => boolean): PendingChunk[] {
    const all = this.dueQueues()
      .flatMap((queue) => [...queue])
      .filter(is);
    for (const retry of all) this.take(retry);
    return all;
  }

  private dueQueues(): Set<PendingChunk>[] {
    return [...this.due.values(), this.exclusive];
  }
}

import type { Chunk } from "../../job/job.js";
import { needsExclusiveNode } from "../slots/agentdeaths.js";
import { Heap } from "../slots/heap.js";
import type { AttemptHistory } from "../slots/quarantine.js";
import { widthOf } from "../slots/slotgroups.js";
import type { PendingChunk } from "./pendingchunk.js";

/**
 * Chunks that were taken from the source but are on no slot: they wait for another try, or for the GPU that they are pinned
 * to.
 */
export class RetryQueue {
  /** The due chunks by pinned GPU (undefined: not pinned), in the order of arrival. */
  private readonly due = new Map<number | undefined, Set<PendingChunk>>();
  /** The due chunks that need several slots at once, by how many, in the order of arrival. */
  private readonly wide = new Map<number, Set<PendingChunk>>();
  /** The due chunks that need a node to themselves, in the order of arrival. */
  readonly exclusive = new Set<PendingChunk>();
  private readonly later = new Heap<PendingChunk>((a, b) => a.dueAt < b.dueAt);
  private count = 0;

  /** `maxTries`: the tries of a chunk. */
  constructor(private readonly maxTries: number) {}

  get size(): number {
    return this.count;
  }

  /** Adds a chunk; it becomes due when `releaseDue` is called with a time at or after its own. */
  add(retry: PendingChunk): void {
    this.later.put(retry);
    this.count++;
  }

  /** Moves chunks whose time has come to the due queues. Returns whether there were any. */
  releaseDue(now: number): boolean {
    let isAny = false;
    for (let first = this.later.peek(); first !== undefined && first.dueAt <= now; first = this.later.peek()) {
      this.later.delete(first);
      first.queuedAt = now;
      if (needsExclusiveNode(first.history, this.maxTries)) this.exclusive.add(first);
      else this.queue(first);
      isAny = true;
    }
    return isAny;
  }

  private queue(retry: PendingChunk): void {
    const width = widthOf(retry.chunk);
    if (width > 1) addTo(this.wide, width, retry);
    else addTo(this.due, retry.chunk.gpu, retry);
  }

  /** How many slots due chunks need at once, the most first; without those that need one. */
  widths(): number[] {
    return [...this.wide.keys()].sort((a, b) => b - a);
  }

  /** Whether any due chunk needs several slots. */
  get hasWide(): boolean {
    return this.wide.size > 0;
  }

  /** Whether a chunk that needs several slots is due. */
  has(retry: PendingChunk): boolean {
    return this.wide.get(widthOf(retry.chunk))?.has(retry) === true;
  }

  /** The due chunks that need this many slots at once, in the order of arrival. */
  listWide(width: number): Iterable<PendingChunk> {
    return this.wide.get(width) ?? [];
  }

  /** The GPUs that due chunks are pinned to; undefined among them if any is not pinned. */
  pins(): Iterable<number | undefined> {
    return this.due.keys();
  }

  /** The due chunks pinned to a GPU, in the order of arrival. */
  listDue(pin: number | undefined): Iterable<PendingChunk> {
    return this.due.get(pin) ?? [];
  }

  /** All chunks, due or not. */
  *values(): Iterable<PendingChunk> {
    yield* this.later.values();
    for (const queue of this.dueQueues()) yield* queue;
  }

  /** Returns a due chunk; undefined = there is none. */
  first(): Chunk | undefined {
    for (const queue of this.dueQueues()) for (const { chunk } of queue) return chunk;
    return undefined;
  }

  /** Removes a due chunk. */
  take(retry: PendingChunk): void {
    const [width, { gpu }] = [widthOf(retry.chunk), retry.chunk];
    const isQueued = width > 1 ? removeFrom(this.wide, width, retry) : removeFrom(this.due, gpu, retry);
    if (isQueued || this.exclusive.delete(retry)) this.count--;
  }

  /** Removes and returns the chunk whose attempt was left on a disconnected node, now that the node is back. */
  reclaim(left: string): PendingChunk | undefined {
    return this.takeFirst((retry) => retry.leftAttempt === left);
  }

  /** Removes the chunk with this history; false = it is not in the queue. */
  removeByHistory(history: AttemptHistory): boolean {
    return this.takeFirst((retry) => retry.history === history) !== undefined;
  }

  /** Removes and returns the first chunk that satisfies `is`, whether it is due or not. */
  private takeFirst(is: (retry: PendingChunk) => boolean): PendingChunk | undefined {
    for (const retry of this.later.values())
      if (is(retry)) {
        this.later.delete(retry);
        this.count--;
        return retry;
      }
    for (const queue of this.dueQueues())
      for (const retry of queue)
        if (is(retry)) {
          this.take(retry);
          return retry;
        }
    return undefined;
  }

  /** Removes and returns the chunk with this id, unless it is a recheck; undefined = it is not in the queue. */
  takeUnstarted(id: string): PendingChunk | undefined {
    return this.takeFirst(({ chunk }) => chunk.id === id && chunk.firstResult === undefined);
  }

  /** When the next chunk becomes due (seconds); undefined = all are due. */
  nextDueAt(): number | undefined {
    return this.later.peek()?.dueAt;
  }

  /** Removes and returns the due chunks that satisfy `is`. */
  takeMatching(is: (retry: PendingChunk) => boolean): PendingChunk[] {
    const all = this.dueQueues()
      .flatMap((queue) => [...queue])
      .filter(is);
    for (const retry of all) this.take(retry);
    return all;
  }

  private dueQueues(): Set<PendingChunk>[] {
    return [...this.wide.values(), ...this.due.values(), this.exclusive];
  }
}

function addTo<K>(queues: Map<K, Set<PendingChunk>>, key: K, retry: PendingChunk): void {
  const queue = queues.get(key);
  if (queue === undefined) queues.set(key, new Set([retry]));
  else queue.add(retry);
}

/** Returns whether it was there. */
function removeFrom<K>(queues: Map<K, Set<PendingChunk>>, key: K, retry: PendingChunk): boolean {
  const queue = queues.get(key);
  if (queue?.delete(retry) !== true) return false;
  if (queue.size === 0) queues.delete(key);
  return true;
}

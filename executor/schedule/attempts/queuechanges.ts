import type { Job } from "../../job/job.js";
import type { Event, Instruction } from "../events.js";
import type { ChunkSource } from "../queue/chunksource.js";
import { QueueSource } from "../queue/queuesource.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import { hasEnded, type InFlightAttempts } from "./inflight.js";

type QueueEvent = Extract<Event, { type: "unitsAdded" | "unitCancelled" | "queueClosed" }>;

/** Handles what happens to the queue of a job while it runs. */
export class QueueChanges {
  /** Tasks that are to be cancelled and are in flight, until no attempt at them is; with the attempts that are being ended for that. */
  private readonly wanted = new Map<bigint, Set<string>>();

  constructor(
    private readonly job: Job,
    private readonly source: ChunkSource,
    private readonly retryQueue: RetryQueue,
    private readonly attempts: InFlightAttempts,
  ) {}

  handle(event: QueueEvent): Instruction[] {
    if (!(this.source instanceof QueueSource)) throw new RangeError(`a job of kind ${this.job.kind} has no queue`);
    switch (event.type) {
      case "unitsAdded":
        this.source.add(event.start, event.end);
        return [];
      case "queueClosed":
        this.source.isOpen = false;
        return [];
      case "unitCancelled":
        return this.cancel(event.unit);
      default:
        return event satisfies never;
    }
  }

  /** Whether an attempt is being ended because its task is cancelled. */
  isEnding(id: string): boolean {
    return [...this.wanted.values()].some((ending) => ending.has(id));
  }

  /** Cancels tasks that have come back since: their attempts have ended without a result. */
  review(): Instruction[] {
    return [...this.wanted.keys()].flatMap((unit) => this.cancel(unit));
  }

  /** A node is back: it may not have heard that attempts on it are to end. */
  handleJoin(node: string): void {
    const back = new Set(this.attempts.listOnNode(node).map(({ attempt }) => attempt.id));
    for (const ending of this.wanted.values()) for (const id of ending) if (back.has(id)) ending.delete(id);
  }

  /**
   * Cancels a task that waits, and ends one that runs: it is cancelled when it comes back, with what it has printed kept. One that has a result
   * by then, or was given up, stays as it is.
   */
  private cancel(unit: bigint): Instruction[] {
    const chunk = this.job.chunk(unit, unit + 1n);
    if (this.source.remove(unit, unit + 1n) || this.retryQueue.takeUnstarted(chunk.id) !== undefined) {
      this.wanted.delete(unit);
      return [{ do: "cancel", chunk }];
    }
    const running = [...this.attempts.values()].filter(({ attempt }) => attempt.chunk.id === chunk.id);
    if (running.length === 0 || running.some(({ attempt }) => attempt.chunk.firstResult !== undefined)) {
      this.wanted.delete(unit);
      return [];
    }
    const ending = this.wanted.get(unit) ?? new Set();
    this.wanted.set(unit, ending);
    const others = running.filter((one) => !hasEnded(one) && !ending.has(one.attempt.id));
    return others.map(({ attempt: { id, node } }): Instruction => {
      ending.add(id);
      return { do: "evict", node, ids: [id] };
    });
  }
}

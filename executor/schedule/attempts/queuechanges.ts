import type { Job } from "../../job/job.js";
import type { Event, Instruction } from "../events.js";
import type { ChunkSource } from "../queue/chunksource.js";
import { QueueSource } from "../queue/queuesource.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import { hasEnded, type InFlightAttempts } from "./inflight.js";

type QueueEvent = Extract<Event, { type: "unitsAdded" | "unitCanceled" | "queueClosed" }>;

/** Handles what happens to the queue of a job while it runs. */
export class QueueChanges {
  /** Tasks that are to be canceled and whose results are being collected, until they are committed or collecting them failed. */
  private readonly wanted = new Set<bigint>();

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
      case "unitCanceled":
        return this.cancel(event.unit);
      default:
        return event satisfies never;
    }
  }

  /** Cancels tasks whose results could not be collected after all. */
  review(): Instruction[] {
    const units = [...this.wanted];
    this.wanted.clear();
    return units.flatMap((unit) => this.cancel(unit));
  }

  /** Cancels a task that waits or runs. One that has a result, or was given up, stays as it is. */
  private cancel(unit: bigint): Instruction[] {
    const chunk = this.job.chunk(unit, unit + 1n);
    if (this.source.remove(unit, unit + 1n) || this.retryQueue.takeUnstarted(chunk.id) !== undefined)
      return [{ do: "cancel", chunk }];
    const running = [...this.attempts.values()].filter(({ attempt }) => attempt.chunk.id === chunk.id);
    if (running.length === 0 || running.some(({ attempt }) => attempt.chunk.firstResult !== undefined)) return [];
    if (running.some(hasEnded)) {
      this.wanted.add(unit);
      return [];
    }
    const drops = running.map(({ attempt: { id, node } }): Instruction => {
      this.attempts.release(id);
      return { do: "drop", node, id, isCanceled: true };
    });
    return [...drops, { do: "cancel", chunk }];
  }
}

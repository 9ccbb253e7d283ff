import type { Attempt } from "../schedule/events.js";
import type { ReportedValue, ValuesMessage } from "./agent/protocol.js";
import type { ChunkEvents } from "./chunkevents.js";
import { TOO_MANY_MESSAGES } from "./node/attachment.js";
import type { NodeWorker } from "./node/nodeworker.js";
import { monotonicSeconds } from "./timer.js";

/** The most values of one attempt. The agent sends no more. */
export const MAX_VALUES = 10_000;

/** The intermediate values that attempts in flight have reported, each once and in order, whatever their agents repeat. */
export class ReportedValues {
  private readonly byId = new Map<string, ReportedValue[]>();

  /** `isInFlight` returns whether an attempt has not ended. */
  constructor(
    private readonly isInFlight: (id: string) => boolean,
    private readonly chunkEvents: ChunkEvents,
  ) {}

  /**
   * Keeps what the agent of a node reports about an attempt there. An agent repeats values to a coordinator that attaches again; a node
   * that repeats more than that, or leaves some out, is refused.
   */
  receive(worker: NodeWorker, attempt: Attempt, { from, values }: Pick<ValuesMessage, "from" | "values">): void {
    const known = this.byId.get(attempt.id) ?? [];
    if (from > known.length || from + values.length > MAX_VALUES)
      return worker.refuseForViolation(`it reports values of attempt ${attempt.id} out of order`);
    const added = values.slice(known.length - from);
    if (added.length === 0) {
      if (!worker.rateLimiter.tryAcquire(monotonicSeconds())) worker.refuseForViolation(TOO_MANY_MESSAGES);
      return;
    }
    known.push(...added);
    this.byId.set(attempt.id, known);
    this.chunkEvents.emit("valued");
  }

  /** Returns what an attempt has reported so far. */
  find(id: string): readonly ReportedValue[] {
    return this.byId.get(id) ?? [];
  }

  /** Forgets the attempts that are no longer in flight. */
  prune(): void {
    for (const id of this.byId.keys()) if (!this.isInFlight(id)) this.byId.delete(id);
  }
}

import type { Event, Instruction } from "../events.js";
import type { Pool } from "../slots/pool.js";
import type { SlotState } from "../slots/slotstate.js";
import type { InFlightAttempts } from "./inflight.js";
import type { Requeuer } from "./requeue.js";

/** What a node reports about its slots. */
export type SlotReport = Extract<
  Event,
  { type: "slotHeld" | "slotBroken" | "memoryPressure" | "slotSick" | "slotRecovered" }
>;

/** Takes slots out of use and back as their nodes report it, and decides what becomes of the attempts on them. */
export class SlotReports {
  constructor(
    private readonly pool: Pool,
    private readonly attempts: InFlightAttempts,
    private readonly requeuer: Requeuer,
  ) {}

  handle(event: SlotReport): Instruction[] {
    switch (event.type) {
      case "slotHeld":
        this.withSlot(event, (slot) => this.pool.setHolder(slot, event.holder));
        return [];
      case "slotBroken":
        this.withSlot(event, (slot) => this.pool.setBroken(slot, event.reason));
        return [];
      case "memoryPressure":
        this.pool.setMemoryPressure(event.node, event.slots);
        return [];
      case "slotSick":
        return this.markSick(event);
      case "slotRecovered":
        this.pool.changeHealth(event.node, event.slot, { sick: undefined });
        return [];
      default:
        return event satisfies never;
    }
  }

  private markSick({ node, slot, reason, lasting, evict }: Extract<Event, { type: "slotSick" }>): Instruction[] {
    this.pool.changeHealth(node, slot, { sick: { reason, lasting } });
    const out = this.requeuer.withdrawQueued(node, slot);
    const running = evict ? this.attempts.listOnSlot(node, slot, "running") : [];
    return running.length === 0 ? out : [...out, { do: "evict", node, ids: running.map(({ attempt }) => attempt.id) }];
  }

  private withSlot({ node, slot }: { node: string; slot: number }, change: (state: SlotState) => void): void {
    const state = this.pool.slot(node, slot);
    if (state !== undefined) change(state);
  }
}

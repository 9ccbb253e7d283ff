import type { Event, Instruction, Slot } from "../events.js";
import type { Pool } from "../slots/pool.js";
import type { InFlightAttempts } from "./inflight.js";
import type { Requeuer } from "./requeue.js";

type DrainEvent = Extract<Event, { type: "nodeDrained" }>;

/** Takes the slots of drained nodes out of use, also of nodes that join later, and puts them back when a drain has ended. */
export class NodeDrains {
  private readonly drained = new Map<string, DrainEvent>();

  constructor(
    private readonly pool: Pool,
    private readonly attempts: InFlightAttempts,
    private readonly requeuer: Requeuer,
  ) {}

  handle(event: DrainEvent): Instruction[] {
    if (event.reason === undefined) this.drained.delete(event.node);
    else this.drained.set(event.node, event);
    this.markSlots(event.node, this.pool.nodes.get(event.node)?.slots ?? []);
    return this.clear(event.node);
  }

  /** Takes the slots of a node that joins out of use, if it is drained, or puts them back. */
  markSlots(node: string, slots: readonly Slot[]): void {
    const drained = this.drained.get(node)?.reason;
    for (const { slot } of slots) this.pool.changeHealth(node, slot, { drained });
  }

  /** Withdraws what is queued on a node, if it is drained, and ends what runs there, if that was asked for. */
  clear(node: string): Instruction[] {
    const drain = this.drained.get(node);
    if (drain === undefined) return [];
    const slots = this.pool.nodes.get(node)?.slots ?? [];
    const out = slots.flatMap(({ slot }) => this.requeuer.withdrawQueued(node, slot));
    const running = drain.evict ? this.attempts.listOnNode(node).filter(({ phase }) => phase === "running") : [];
    return running.length === 0 ? out : [...out, { do: "evict", node, ids: running.map(({ attempt }) => attempt.id) }];
  }
}

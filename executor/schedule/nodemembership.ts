import type { ChunkStops } from "./attempts/chunkstops.js";
import type { InFlightAttempts } from "./attempts/inflight.js";
import type { NodeDrains } from "./attempts/nodedrains.js";
import type { QueueChanges } from "./attempts/queuechanges.js";
import type { Reattacher } from "./attempts/reattach.js";
import type { Requeuer } from "./attempts/requeue.js";
import type { Event, Instruction } from "./events.js";
import type { HaltPolicy } from "./halting/haltpolicy.js";
import type { ChunkSizer } from "./queue/chunksizer.js";
import type { Deadlines } from "./slots/deadlines.js";
import type { Pool } from "./slots/pool.js";

/** What a node that joins or leaves changes. */
export interface MembershipTargets {
  pool: Pool;
  attempts: InFlightAttempts;
  chunkSizer: ChunkSizer;
  deadlines: Deadlines;
  halting: HaltPolicy;
  nodeDrains: NodeDrains;
  queueChanges: QueueChanges;
  reattacher: Reattacher;
  requeuer: Requeuer;
  stops: ChunkStops;
}

/** Handles nodes that join, disconnect and are lost. */
export class NodeMembership {
  constructor(private readonly targets: MembershipTargets) {}

  handle(
    event: Extract<Event, { type: "nodeJoined" | "nodeDisconnected" | "nodeLost" | "lifetimeDeclared" }>,
    now: number,
  ): Instruction[] {
    const { pool, chunkSizer, attempts, deadlines, halting, requeuer } = this.targets;
    switch (event.type) {
      case "nodeJoined":
        return this.join(event, now);
      case "nodeDisconnected":
        chunkSizer.expectBack(event.node);
        pool.disconnectNode(event.node, now);
        return [];
      case "nodeLost":
        chunkSizer.removeExpected(event.node);
        halting.recordLost(event.node, now);
        pool.disconnectNode(event.node, now);
        return attempts.listOnNode(event.node).flatMap(({ attempt }) => requeuer.requeueLeaving(attempt.id, now));
      case "lifetimeDeclared":
        deadlines.declared = event;
        return [];
      default:
        return event satisfies never;
    }
  }

  private join(event: Extract<Event, { type: "nodeJoined" }>, now: number): Instruction[] {
    const { chunkSizer, deadlines, halting, nodeDrains, queueChanges, reattacher, stops } = this.targets;
    const { node, slots, deadline } = event;
    chunkSizer.removeExpected(node);
    deadlines.recordJoin(deadline, now);
    halting.recordJoin(node);
    nodeDrains.markSlots(node, slots);
    queueChanges.handleJoin(node);
    return [...reattacher.handleJoin(event, now), ...nodeDrains.clear(node), ...stops.handleJoin(node)];
  }
}

import type { Instruction } from "../events.js";
import type { ChunkSource } from "../queue/chunksource.js";
import type { PendingChunk } from "../queue/pendingchunk.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import type { Deadlines } from "../slots/deadlines.js";
import { splitByKind } from "../slots/gpukinds.js";
import { findPinRefusal } from "../slots/nodeslots.js";
import type { Pool } from "../slots/pool.js";
import { shouldAvoid } from "../slots/quarantine.js";
import { widthOf } from "../slots/slotgroups.js";
import { isConnected, isUsable, type ScheduledNode, type SlotState } from "../slots/slotstate.js";
import type { InFlightAttempts } from "./inflight.js";

/** A chunk that runs exclusively, and its slots on an empty node. */
export interface ExclusiveStart {
  pending: PendingChunk;
  slots: SlotState[];
}

/**
 * Reserves nodes for chunks that run exclusively. A reserved node gets no other work, and what is queued there moves
 * elsewhere; once nothing runs on it, the chunk starts. While other work waits, at most half of the nodes are reserved.
 */
export class Reservations {
  private readonly nodes = new Map<PendingChunk, ScheduledNode>();

  constructor(
    private readonly pool: Pool,
    private readonly source: ChunkSource,
    private readonly retryQueue: RetryQueue,
    private readonly attempts: InFlightAttempts,
    private readonly deadlines: Deadlines,
  ) {}

  /** Updates the reservations for the chunks that wait and the present nodes. */
  update(now: number): Instruction[] {
    for (const [retry, node] of this.nodes)
      if (!this.retryQueue.exclusive.has(retry) || this.findSlotsFor(retry, node, now) === undefined)
        this.release(retry, node);
    return [...this.retryQueue.exclusive].flatMap((retry) => this.reserveFor(retry, now));
  }

  /**
   * Returns the next chunk whose reserved node is empty, and forgets the reservation; the node stays reserved in the pool.
   */
  takeReady(now: number): ExclusiveStart | undefined {
    for (const [retry, node] of this.nodes) {
      const slots = isNodeEmpty(node) ? this.findSlotsFor(retry, node, now) : undefined;
      if (slots === undefined) continue;
      this.nodes.delete(retry);
      return { pending: retry, slots };
    }
    return undefined;
  }

  private reserveFor(retry: PendingChunk, now: number): Instruction[] {
    const reserved = this.nodes.get(retry);
    if (reserved !== undefined && isNodeEmpty(reserved)) return [];
    const best = this.findBestNode(retry, now);
    if (best === undefined || (reserved !== undefined && !isNodeEmpty(best))) return [];
    if (reserved !== undefined) this.release(retry, reserved);
    else if (this.isAtReservationLimit()) return [];
    this.nodes.set(retry, best);
    this.pool.setReserved(best, true);
    return this.withdrawFrom(best);
  }

  /** Returns the unreserved node with the least load that may run the chunk. */
  private findBestNode(retry: PendingChunk, now: number): ScheduledNode | undefined {
    let best: ScheduledNode | undefined;
    for (const node of this.pool.nodes.values()) {
      if (node.isReserved || this.findSlotsFor(retry, node, now) === undefined) continue;
      if (best === undefined || nodeLoad(node) < nodeLoad(best)) best = node;
    }
    return best;
  }

  private isAtReservationLimit(): boolean {
    if (this.source.left === 0n && this.retryQueue.size === this.retryQueue.exclusive.size) return false;
    const live = [...this.pool.nodes.values()].filter((node) => isConnected(node));
    return live.filter((node) => node.isReserved).length >= Math.max(1, Math.floor(live.length / 2));
  }

  private release(retry: PendingChunk, node: ScheduledNode): void {
    this.nodes.delete(retry);
    this.pool.setReserved(node, false);
  }

  /** Returns usable slots of a node for the chunk, as many as it needs; undefined = there are too few. */
  private findSlotsFor(retry: PendingChunk, node: ScheduledNode, now: number): SlotState[] | undefined {
    const { chunk, history } = retry;
    const width = widthOf(chunk);
    const fit = node.slots.filter((slot) => {
      if (!isUsable(slot) || !this.deadlines.fits(retry, slot, now)) return false;
      return width > 1 || (findPinRefusal(chunk, slot) === undefined && !shouldAvoid(history, chunk, slot, this.pool));
    });
    if (width === 1) return fit.length === 0 ? undefined : fit.slice(0, 1);
    return splitByKind(fit)
      .find(({ length }) => length >= width)
      ?.slice(0, width);
  }

  private withdrawFrom({ name }: ScheduledNode): Instruction[] {
    const queued = this.attempts
      .listOnNode(name)
      .filter(({ phase, isWithdrawn }) => phase === "queued" && !isWithdrawn);
    for (const inFlight of queued) inFlight.isWithdrawn = true;
    return queued.length === 0 ? [] : [{ do: "withdraw", node: name, ids: queued.map(({ attempt }) => attempt.id) }];
  }
}

function isNodeEmpty(node: ScheduledNode): boolean {
  return nodeLoad(node) === 0;
}

function nodeLoad(node: ScheduledNode): number {
  return node.slots.reduce((sum, slot) => sum + slot.load, 0);
}

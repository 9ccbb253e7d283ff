import type { Instruction } from "../events.js";
import type { Retry } from "../queue/retry.js";
import type { Source } from "../queue/source.js";
import type { Waiting } from "../queue/waiting.js";
import { avoids } from "../slots/blame.js";
import type { Pool } from "../slots/pool.js";
import { isUsable, type NodeState, type SlotState } from "../slots/slot.js";
import { pinRefusal } from "../slots/slots.js";
import type { Attempts } from "./underway.js";

/** A chunk that runs alone, and its slot on an empty node. */
export interface Alone {
  retry: Retry;
  slot: SlotState;
}

/**
 * Nodes for chunks that run alone. Each such chunk reserves one: the node gets no other work and what is queued there goes
 * elsewhere; once nothing runs on it, the chunk starts. While other work waits, at most half of the nodes are reserved.
 */
export class Reservations {
  private readonly nodes = new Map<Retry, NodeState>();

  constructor(
    private readonly pool: Pool,
    private readonly source: Source,
    private readonly waiting: Waiting,
    private readonly attempts: Attempts,
  ) {}

  /** Brings the reservations into line with what waits, and with the nodes that there are now. */
  update(): Instruction[] {
    for (const [retry, node] of this.nodes)
      if (!this.waiting.alone.has(retry) || slotFor(retry, node, this.pool) === undefined) this.release(retry, node);
    return [...this.waiting.alone].flatMap((retry) => this.reserveFor(retry));
  }

  /** The next chunk whose node is empty. The node stays reserved for it. */
  ready(): Alone | undefined {
    for (const [retry, node] of this.nodes) {
      const slot = isEmpty(node) ? slotFor(retry, node, this.pool) : undefined;
      if (slot === undefined) continue;
      this.nodes.delete(retry);
      return { retry, slot };
    }
    return undefined;
  }

  private reserveFor(retry: Retry): Instruction[] {
    const reserved = this.nodes.get(retry);
    if (reserved !== undefined && isEmpty(reserved)) return [];
    const best = this.bestFor(retry);
    if (best === undefined || (reserved !== undefined && !isEmpty(best))) return [];
    if (reserved !== undefined) this.release(retry, reserved);
    else if (this.isCrowded()) return [];
    this.nodes.set(retry, best);
    this.pool.reserve(best, true);
    return this.withdrawFrom(best);
  }

  /** Of the nodes that the chunk may run on and nobody has reserved, the one with the least to finish first. */
  private bestFor(retry: Retry): NodeState | undefined {
    let best: NodeState | undefined;
    for (const node of this.pool.nodes.values()) {
      if (node.reserved || slotFor(retry, node, this.pool) === undefined) continue;
      if (best === undefined || loadOf(node) < loadOf(best)) best = node;
    }
    return best;
  }

  private isCrowded(): boolean {
    if (this.source.left === 0n && this.waiting.size === this.waiting.alone.size) return false;
    const live = [...this.pool.nodes.values()].filter((node) => node.live);
    return live.filter((node) => node.reserved).length >= Math.max(1, Math.floor(live.length / 2));
  }

  private release(retry: Retry, node: NodeState): void {
    this.nodes.delete(retry);
    this.pool.reserve(node, false);
  }

  private withdrawFrom({ name }: NodeState): Instruction[] {
    const queued = this.attempts.on(name).filter(({ phase, leaving }) => phase === "queued" && !leaving);
    for (const underway of queued) underway.leaving = true;
    return queued.length === 0 ? [] : [{ do: "withdraw", node: name, ids: queued.map(({ attempt }) => attempt.id) }];
  }
}

/** A slot of a node that may run the chunk. */
function slotFor({ chunk, history }: Retry, node: NodeState, pool: Pool): SlotState | undefined {
  return node.slots.find(
    (slot) => isUsable(slot) && pinRefusal(chunk, slot) === undefined && !avoids(history, chunk, slot, pool),
  );
}

function isEmpty(node: NodeState): boolean {
  return loadOf(node) === 0;
}

function loadOf(node: NodeState): number {
  return node.slots.reduce((sum, slot) => sum + slot.load, 0);
}

import { addressOf, type Node } from "../../../fleet/node.js";
import type { JournalEntry } from "./journal.js";

/** A node that may still hold processes or files of a run. */
export interface Leftover {
  node: string;
  /** What `-i` takes to find the node. */
  inventory: string;
  /** Where the node was when it was given work; older journals do not say. */
  address?: string;
  /** Why it could not be cleaned; absent where it keeps its work for the next session. */
  reason?: string;
}

/** Which nodes may hold something of a run, gathered from its journal: those that could be given work since they were last clean. */
export class Leftovers {
  private readonly byPlace = new Map<string, Leftover>();

  apply(entry: JournalEntry): void {
    if (entry.e === "nodes") {
      const { nodes, inventory, addresses = [] } = entry;
      for (const [index, node] of nodes.entries()) this.add({ node, inventory, address: addresses[index] });
    } else if (entry.e === "close" && (entry.leftovers !== undefined || entry.state !== "interrupted")) {
      // An older muster wrote nothing down of nodes that it could not clean.
      this.byPlace.clear();
      for (const one of entry.leftovers ?? []) this.add(one);
    }
  }

  get list(): Leftover[] {
    return [...this.byPlace.values()];
  }

  private add(one: Leftover): void {
    this.byPlace.set(JSON.stringify([one.inventory, one.node]), one);
  }
}

/** Whether `node`, of any inventory, is where `leftover` was: an inventory may be moved, and another one may use the same name. */
export function isSameNode(leftover: Leftover, node: Node): boolean {
  if (leftover.node !== node.name) return false;
  return leftover.address === undefined || leftover.address === addressOf(node);
}

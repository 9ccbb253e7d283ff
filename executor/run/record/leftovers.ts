import { formatAddress, type Node } from "../../../fleet/node.js";

/** A node that may still hold processes or files of a run. */
export interface Leftover {
  node: string;
  /** The value of `-i` that finds the node. */
  inventory: string;
  /** Where the node was when it got work; older journals do not have it. */
  address?: string;
  /** Why the node could not be cleaned; absent if it keeps its work for the next session. */
  reason?: string;
}

/** Whether `node` is the machine that `leftover` describes. Inventories may move, and two of them may use the same name. */
export function isSameNode(leftover: Leftover, node: Node): boolean {
  if (leftover.node !== node.name) return false;
  return leftover.address === undefined || leftover.address === formatAddress(node);
}

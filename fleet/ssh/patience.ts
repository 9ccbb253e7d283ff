import type { Node } from "../node.js";

/** How long the way to a node may be silent, in seconds. */
export interface Patience {
  /** From the first packet to being logged in, for each machine on the way. */
  login: number;
  /** Between two keepalives; three that go unanswered end the connection. */
  keepalive: number;
  /** For the node to answer one request: to start a program, to look at a file. */
  answer: number;
  /** Without progress of a file that is being copied. */
  stall: number;
}

/** Patience with a node that counts as silent after `silence` seconds. Rigs at full load are slow to let one in, so that is not short. */
export function patienceOf({ silence }: Pick<Node, "silence">): Patience {
  return { login: 20, keepalive: silence / 4, answer: (silence * 3) / 4, stall: (silence * 3) / 4 };
}

import type { Node } from "../node.js";

/** How long the way to a node may be silent, in seconds. */
export interface SshTimeouts {
  /** From the first packet to being logged in, for each machine on the way. */
  loginSeconds: number;
  /** Between two keepalives; three that go unanswered end the connection. */
  keepaliveSeconds: number;
  /** For the node to answer one request: to start a program, to look at a file. */
  requestSeconds: number;
  /** Without progress of a file that is being copied. */
  stallSeconds: number;
}

/** Patience with a node that counts as silent after `silence` seconds. Rigs at full load are slow to let one in, so that is not short. */
export function timeoutsFor({ silenceSeconds: silence }: Pick<Node, "silenceSeconds">): SshTimeouts {
  return {
    loginSeconds: 20,
    keepaliveSeconds: silence / 4,
    requestSeconds: (silence * 3) / 4,
    stallSeconds: (silence * 3) / 4,
  };
}

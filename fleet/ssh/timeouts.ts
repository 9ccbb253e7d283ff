import type { Node } from "../node.js";

/** The timeouts of a connection to a node, in seconds. */
export interface SshTimeouts {
  /** From the first packet to the end of the log-in, for each hop. */
  loginSeconds: number;
  /** Between two keepalives. After three unanswered ones the connection is closed. */
  keepaliveSeconds: number;
  /** For one request: to start a program, or to stat a file. */
  requestSeconds: number;
  /** For a file transfer without progress. */
  stallSeconds: number;
}

/**
 * Derives the timeouts from `silence` of the inventory: a connection must fail before its node counts as silent. The log-in has 20 s,
 * because a node at full load is slow to accept one.
 */
export function timeoutsFor({ silenceSeconds }: Pick<Node, "silenceSeconds">): SshTimeouts {
  return {
    loginSeconds: 20,
    keepaliveSeconds: silenceSeconds / 4,
    requestSeconds: (silenceSeconds * 3) / 4,
    stallSeconds: (silenceSeconds * 3) / 4,
  };
}

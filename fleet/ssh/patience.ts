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

/** Rigs at full load are slow to answer, so nothing here is short. */
export const usualPatience: Patience = { login: 20, keepalive: 10, answer: 30, stall: 30 };

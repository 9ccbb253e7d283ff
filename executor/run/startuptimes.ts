import { monotonicSeconds } from "./timer.js";

/** Measures how long nodes take from the start of a session to their first chunk: connecting, staging and the agent's start. */
export class StartupTimes {
  private readonly beganAt = monotonicSeconds();
  private readonly secondsByNode = new Map<string, number>();

  /** Records that a chunk has started on a node; only the node's first one counts. */
  recordStart(node: string): void {
    if (this.secondsByNode.has(node)) return;
    this.secondsByNode.set(node, Number((monotonicSeconds() - this.beganAt).toFixed(3)));
  }

  /** The seconds by node; nodes without a chunk are left out. */
  get measured(): Map<string, number> {
    return this.secondsByNode;
  }
}

import type { Attempt } from "../schedule/events.js";
import type { NodeWorker } from "./node/nodeworker.js";

/** Acknowledges these attempts to their agents, which may delete them then. */
export function acknowledge(workers: readonly NodeWorker[], attempts: readonly Attempt[]): void {
  for (const worker of workers) {
    const ids = attempts.filter(({ node }) => node === worker.node.name).map(({ id }) => id);
    if (ids.length > 0) worker.send({ op: "ack", ids });
  }
}

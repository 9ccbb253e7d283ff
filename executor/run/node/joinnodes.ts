import type { NodeWorker } from "./nodeworker.js";

/** When the nodes of a run have joined, or failed to. */
export interface JoiningNodes {
  /** Those that may hold work of an earlier session: nobody else may be given that before. */
  holders: Promise<unknown>;
  /** All but those that were away at the end of the last run; or all of them, where each was. */
  expected: Promise<unknown>;
}

/** Has all nodes join. `absent`: the names of those that were away at the end of the last run. */
export function joinNodes(workers: readonly NodeWorker[], absent: readonly string[]): JoiningNodes {
  const names = new Set(absent);
  const joining = workers.map((worker) => ({
    mayHold: worker.cleanup.mayHaveLeftovers,
    isExpected: !names.has(worker.node.name),
    joined: worker.join(),
  }));
  const expected = joining.filter(({ isExpected }) => isExpected);
  return {
    holders: Promise.all(joining.filter(({ mayHold }) => mayHold).map(({ joined }) => joined)),
    expected: Promise.all((expected.length > 0 ? expected : joining).map(({ joined }) => joined)),
  };
}

/** Whether a node that is so at the end of a run is not to be counted on in the next: it is away, or has never answered. */
export function isAbsent({ state, firstContact }: Pick<NodeWorker, "state" | "firstContact">): boolean {
  return state === "away" || (state === "connecting" && !firstContact.hasAnswered);
}

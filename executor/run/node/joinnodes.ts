import type { NodeWorker } from "./nodeworker.js";

/** When the nodes of a run have joined, or failed to. */
export interface JoiningNodes {
  /** Those that may hold work of an earlier session: nobody else may be given that before. */
  holders: Promise<unknown>;
  all: Promise<unknown>;
}

/** Has all nodes join. */
export function joinNodes(workers: readonly NodeWorker[]): JoiningNodes {
  const joining = workers.map((worker) => ({ mayHold: worker.cleanup.mayHaveLeftovers, joined: worker.join() }));
  return {
    holders: Promise.all(joining.filter(({ mayHold }) => mayHold).map(({ joined }) => joined)),
    all: Promise.all(joining.map(({ joined }) => joined)),
  };
}

/** Whether a node that is so at the end of a run is not to be counted on in the next: it is away, or has never answered. */
export function isAbsent({ state, firstAnswer }: Pick<NodeWorker, "state" | "firstAnswer">): boolean {
  return state === "away" || (state === "connecting" && !firstAnswer.hasAnswered);
}

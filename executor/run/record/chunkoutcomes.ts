/** How many chunks of a run have a result, failed, were stopped on request, and are cancelled tasks of a queue (absent: none is). */
export interface ChunkOutcomes {
  done: number;
  failed: number;
  stopped?: number;
  cancelled?: number;
}

/** Returns the chunks of a run by outcome. `committed`: those that were stopped included. `cancelled`: tasks of its queue. */
export function countOutcomes(counts: {
  committed: number;
  failed: number;
  stopped: number;
  cancelled: bigint;
}): ChunkOutcomes {
  const { committed, failed, stopped, cancelled } = counts;
  return {
    done: committed - stopped,
    failed,
    ...(stopped === 0 ? {} : { stopped }),
    ...(cancelled === 0n ? {} : { cancelled: Number(cancelled) }),
  };
}

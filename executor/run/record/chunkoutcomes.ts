/** How many chunks of a run have a result, failed, were stopped on request, and are canceled tasks of a queue (absent: none is). */
export interface ChunkOutcomes {
  done: number;
  failed: number;
  stopped?: number;
  canceled?: number;
}

/** Returns the chunks of a run by outcome. `committed`: those that were stopped included. `canceled`: tasks of its queue. */
export function countOutcomes(counts: {
  committed: number;
  failed: number;
  stopped: number;
  canceled: bigint;
}): ChunkOutcomes {
  const { committed, failed, stopped, canceled } = counts;
  return {
    done: committed - stopped,
    failed,
    ...(stopped === 0 ? {} : { stopped }),
    ...(canceled === 0n ? {} : { canceled: Number(canceled) }),
  };
}

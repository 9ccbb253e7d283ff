import type { Coordinator } from "./coordinator.js";

/** Why a chunk cannot be stopped that has a result. */
export const HAS_ENDED = "it has ended";

/**
 * Stops a chunk of the run of a coordinator: where it runs, it gets SIGTERM, later SIGKILL, and the outputs that it has by then are its
 * result. The request is in the journal before anything ends, so that no later coordinator computes the chunk. Resolves with why it
 * cannot be stopped; undefined = it is being stopped, or was before. Rejects where this machine's disk fails.
 */
export async function stopChunk(coordinator: Coordinator, id: string): Promise<string | undefined> {
  const { counters, directory, scheduler, endings } = coordinator;
  const { job } = counters;
  const [start, end] = job.unitsOf(id) ?? [0n, 0n];
  const count = job.queue?.accepted ?? job.units;
  if (start >= end || start < job.first || end > job.first + count) return "the run has no such chunk";
  if (job.kind === "range") return "it is a part of a range, and its units would be lost";
  if (endings.collector.isCommitted({ start, end })) return HAS_ENDED;
  if (scheduler.stops.isWanted(id)) return undefined;
  directory.journal.add({ e: "stopping", chunk: id });
  await directory.journal.flush();
  coordinator.event({ type: "stopRequested", chunk: id });
  return undefined;
}

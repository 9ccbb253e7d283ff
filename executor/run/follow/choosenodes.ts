import type { Leftover } from "../record/leftovers.js";
import type { LiveRun } from "../record/liverun.js";
import type { FollowedChunks } from "./followedchunks.js";

/** What is known of a run: whether its coordinator is alive, what that wrote last, and which nodes may hold something of the run. */
export interface RunPlaces {
  isActive: boolean;
  live: LiveRun | undefined;
  leftovers: readonly Pick<Leftover, "node">[];
}

/**
 * Returns the names of the nodes on which chunks that are followed run or may run: as live.json has them; where it leaves some out, and
 * where no coordinator is alive, all that may hold something of the run.
 */
export function chooseNodes({ isActive, live, leftovers }: RunPlaces, chunks: FollowedChunks): Set<string> {
  const all = new Set(leftovers.map(({ node }) => node));
  if (!isActive) return all;
  if (live === undefined) return new Set();
  if (live.omitted !== undefined) return all;
  const busy = live.slots.filter(({ running }) => running !== undefined && chunks.includes(running.chunk));
  return new Set(busy.map(({ node }) => node));
}

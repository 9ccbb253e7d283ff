import type { Cluster } from "../../../fleet/slurm/cluster.js";
import type { Pilot } from "./pilot.js";
import type { UsedCluster } from "./usedcluster.js";

/** A pilot without work is released after this time: others wait for what it holds. */
const IDLE_SECONDS = 60;

/**
 * Returns the pilots that are to be given back: those that have had nothing to do for a while, because nothing waits or because what waits
 * does not fit the time that they have left; and those that do not work yet, beyond what the work that waits needs. `now`: in monotonic
 * seconds.
 */
export function findIdlePilots(
  pilots: readonly Pilot[],
  { cluster, chunksPerPilot }: Pick<UsedCluster, "cluster" | "chunksPerPilot">,
  waitingChunks: number,
  now: number,
): Pilot[] {
  const kept = pilots.filter(({ isReleased }) => !isReleased);
  const isOver = (since: number | undefined) => since !== undefined && now - since >= IDLE_SECONDS;
  const idle = kept.filter(
    (pilot) =>
      pilot.state === "working" && isOver(pilot.idleSince) && (waitingChunks === 0 || !isFresh(pilot, cluster)),
  );
  // Those that have begun come first, then those that have waited for longest.
  const rank = ({ state }: Pilot) => (state === "starting" ? 0 : 1);
  const unstarted = kept
    .filter(({ state }) => state !== "working")
    .sort((a, b) => rank(a) - rank(b) || a.submittedAt - b.submittedAt);
  const surplus = unstarted.slice(Math.ceil(waitingChunks / Math.max(1, chunksPerPilot)));
  return [...idle, ...surplus.filter(({ submittedAt }) => isOver(submittedAt))];
}

/** Whether a pilot has most of its time left: what does not fit it would not fit another one either. */
function isFresh({ beganAtMs = Date.now() }: Pick<Pilot, "beganAtMs">, { request }: Cluster): boolean {
  return Date.now() - beganAtMs < (request.timeSeconds * 1000) / 2;
}

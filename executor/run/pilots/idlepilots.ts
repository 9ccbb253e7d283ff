import type { Cluster } from "../../../fleet/slurm/cluster.js";
import type { Pilot } from "./pilot.js";

/** A pilot without work is released after this time: others wait for what it holds. */
const IDLE_SECONDS = 60;

/**
 * Returns the pilots that are to be given back: those that have had nothing to do for a while, because nothing waits or because what waits
 * does not fit the time that they have left; and those that wait themselves, although nothing waits for them. `now`: in monotonic seconds.
 */
export function findIdlePilots(
  pilots: readonly Pilot[],
  cluster: Cluster,
  waitingChunks: number,
  now: number,
): Pilot[] {
  return pilots.filter((pilot) => {
    const { state, isReleased, idleSince, submittedAt } = pilot;
    const isUseless = waitingChunks === 0 || (state === "working" && !isFresh(pilot, cluster));
    const since = state === "working" ? idleSince : submittedAt;
    return !isReleased && isUseless && since !== undefined && now - since >= IDLE_SECONDS;
  });
}

/** Whether a pilot has most of its time left: what does not fit it would not fit another one either. */
function isFresh({ beganAtMs = Date.now() }: Pick<Pilot, "beganAtMs">, { request }: Cluster): boolean {
  return Date.now() - beganAtMs < (request.timeSeconds * 1000) / 2;
}

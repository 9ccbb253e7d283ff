import { type Cluster, warningSeconds } from "../../../fleet/slurm/cluster.js";

/** Slurm's warning before a time limit may come this much earlier than it was asked for, or a tenth of a short limit. */
const EARLY_WARNING_SECONDS = 60;
/** Pilots that are idle for this time although work waits, or for half of what they have, will stay so. */
const STUCK_SECONDS = 45;

/** Returns how long a pilot can work, from its start to Slurm's warning. */
export function usableSeconds({ request }: Cluster): number {
  const { timeSeconds } = request;
  return timeSeconds - warningSeconds(request) - Math.min(EARLY_WARNING_SECONDS, timeSeconds / 10);
}

/** A pilot that is attached to. */
interface WorkingPilot {
  /** Since when it has had nothing to do, in monotonic seconds; undefined = it has. */
  readonly idleSince: number | undefined;
  /** When it leaves the run, in monotonic seconds. */
  readonly deadline: number;
}

/**
 * Whether all pilots of a cluster are idle for long, one of them since it had most of its time left. If work waits all the same, it would
 * not fit another pilot either.
 */
export function areStuck(working: readonly WorkingPilot[], cluster: Cluster, now: number): boolean {
  const usable = usableSeconds(cluster);
  const limit = Math.min(STUCK_SECONDS, usable / 2);
  return (
    working.every(({ idleSince }) => idleSince !== undefined && now - idleSince > limit) &&
    working.some(({ idleSince, deadline }) => deadline - idleSince! >= usable / 2)
  );
}

import type { SlurmRefusal } from "../../../fleet/slurm/slurmerror.js";

/** How many pilots are submitted at a time: the next ones are when these have been looked at. */
const MAX_PER_ROUND = 4;
/** A slot of a pilot is worth having for so much work: to get it takes seconds, on most clusters minutes. */
const MIN_SLOT_SECONDS = 20;

/** What decides how many pilots a cluster should have. */
export interface PilotDemand {
  /** How many there may be. */
  limit: number;
  /** How many there are, also those that wait. */
  open: number;
  /** How many of these do not work yet. */
  unstarted: number;
  slotsPerPilot: number;
  /** How many further slots could be given work now. */
  waitingChunks: number;
  /** How long one slot would need for all that waits; undefined = unknown. */
  waitingSeconds: number | undefined;
  /** For how long some chunk has waited. */
  hasWaitedSeconds: number;
  /** Use the cluster only where the other nodes would need longer than `afterSeconds`; undefined = always. */
  overflow: { afterSeconds: number; remainingSeconds: number } | undefined;
}

/** Returns how many pilots to submit now: never more than there is work for. */
export function countMissingPilots(demand: PilotDemand): number {
  const { limit, open, unstarted, slotsPerPilot, waitingChunks, hasWaitedSeconds, overflow } = demand;
  if (overflow !== undefined && overflow.remainingSeconds <= overflow.afterSeconds) return 0;
  // What still waits after so long takes longer than was expected of it.
  const waitingSeconds = hasWaitedSeconds > 2 * MIN_SLOT_SECONDS ? Infinity : (demand.waitingSeconds ?? Infinity);
  const slots = Math.min(waitingChunks, Math.ceil(waitingSeconds / MIN_SLOT_SECONDS));
  const useful = Math.ceil(slots / Math.max(1, slotsPerPilot)) - unstarted;
  return Math.max(0, Math.min(useful, limit - open, MAX_PER_ROUND));
}

/** The shortest and the longest pause after pilots that ended before they could work, or could not be submitted. */
const MIN_PAUSE_SECONDS = 30;
const MAX_PAUSE_SECONDS = 600;

/** Returns how long no pilot is submitted after so many failures in a row. */
export function pauseAfterFailures(failures: number): number {
  return failures === 0 ? 0 : Math.min(MAX_PAUSE_SECONDS, MIN_PAUSE_SECONDS * 2 ** (failures - 1));
}

/** Until a pilot can be submitted again that the cluster's limits did not allow. */
const LIMIT_PAUSE_SECONDS = 60;
/** So many refusals in a row, for more than an hour, of what was accepted before. */
const MAX_REFUSALS = 10;

/**
 * Returns how long no pilot is submitted after the cluster did not accept one; undefined = it will accept none. `refusals`: how many there were
 * in a row since it accepted the same request, e.g. because its partition is down since then; undefined = it never did.
 */
export function pauseAfterRefusal(kind: SlurmRefusal, refusals: number | undefined): number | undefined {
  if (kind === "limited") return LIMIT_PAUSE_SECONDS;
  return refusals === undefined || refusals > MAX_REFUSALS ? undefined : pauseAfterFailures(refusals);
}

/** Between two looks at the queue of a cluster: a controller serves all of its users. */
const LOOK_SECONDS = 30;
/** After a submission: many clusters start a job within seconds. */
const SOON_SECONDS = [0.5, 0.5, 1, 2, 4, 8];

/** Returns how long to wait before the next look, after `looks` looks since the last submission or the last change that was noticed. */
export function pauseBeforeLook(looks: number): number {
  return SOON_SECONDS[looks] ?? LOOK_SECONDS;
}

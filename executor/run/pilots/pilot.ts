import { randomBytes } from "node:crypto";
import { type Cluster, createPilotNode } from "../../../fleet/slurm/cluster.js";
import { monotonicSeconds } from "../timer.js";

/** What is known of an allocation that a run has asked for. */
export interface Pilot {
  /** Part of the job's name, so that it is found again where the reply to its submission was lost. */
  readonly token: string;
  /** Slurm's job id; undefined = not known (yet). */
  id: string | undefined;
  /** `starting`: it runs, and its agent has not been attached yet. `working`: it has been. */
  state: "submitting" | "pending" | "starting" | "working";
  /** Why it waits, in Slurm's words. */
  reason: string | undefined;
  /** When its submission began, in monotonic seconds. */
  submittedAt: number;
  /** When it began to run, as far as is known (Unix time in ms). */
  beganAtMs: number | undefined;
  /** An earlier session has submitted it. */
  isEarlier: boolean;
  /** Since when it has had nothing to do, in monotonic seconds; undefined = it has. */
  idleSince: number | undefined;
  /** Since when it is being ended, in monotonic seconds; undefined = it is not, as far as is known. */
  endingSince: number | undefined;
  /** Its node does not answer, as far as is known. */
  isSilent: boolean;
  /** It is not needed: it does not join the run, and is cancelled at each look at the queue until it ends. */
  isReleased: boolean;
}

/** How long after its time limit a pilot is over for certain, although Slurm could not be asked. */
const OVERDUE_SECONDS = 5 * 60;

/** Returns a pilot that is about to be submitted. */
export function createPilot(token: string): Pilot {
  return {
    token,
    id: undefined,
    state: "submitting",
    reason: undefined,
    submittedAt: monotonicSeconds(),
    beganAtMs: undefined,
    isEarlier: false,
    idleSince: undefined,
    endingSince: undefined,
    isSilent: false,
    isReleased: false,
  };
}

/** Returns the name of a pilot's job at the cluster. */
export function formatJobName(runId: string, token: string): string {
  return `${jobNamePrefix(runId)}${token}`;
}

/** Returns how the names of all pilots of a run begin. */
function jobNamePrefix(runId: string): string {
  return `muster-${runId}-`;
}

/** Returns the token in the name of a job; undefined = it is no pilot of a run with one of these ids. */
export function parseJobName(jobName: string, runIds: readonly string[]): string | undefined {
  const prefix = runIds.map(jobNamePrefix).find((one) => jobName.startsWith(one));
  return prefix === undefined ? undefined : jobName.slice(prefix.length);
}

/** Returns a token that no other pilot has. */
export function drawToken(): string {
  return randomBytes(4).toString("hex");
}

/** Whether the time limit of a pilot has passed for so long that it is over, whatever Slurm would say. */
export function isOverdue({ beganAtMs }: Pick<Pilot, "beganAtMs">, { request }: Cluster, nowMs: number): boolean {
  return beganAtMs !== undefined && nowMs > beganAtMs + (request.timeSeconds + OVERDUE_SECONDS) * 1000;
}

/** Whether a pilot of an earlier session is about to join: it ran then, or its cluster has not said yet that it does not. */
export function joinsSoon({ state, beganAtMs, isReleased }: Pilot): boolean {
  return !isReleased && (state === "starting" || (state === "pending" && beganAtMs !== undefined));
}

/** Returns the name of the node that a pilot is in its run. */
export function nodeNameOf(cluster: Cluster, { id }: Pilot): string {
  return createPilotNode(cluster, id!).name;
}

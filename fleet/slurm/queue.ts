import type { AllocationState } from "../engine.js";

/** The words of squeue whose output `parseQueue` reads. The name is last, because it may hold anything. */
export const SQUEUE_WORDS = ["--me", "--noheader", "--format=%i|%T|%r|%L|%j"] as const;

const PENDING_STATES = new Set([
  "PENDING",
  "CONFIGURING",
  "REQUEUED",
  "REQUEUE_FED",
  "REQUEUE_HOLD",
  "RESV_DEL_HOLD",
  "SPECIAL_EXIT",
]);
const RUNNING_STATES = new Set(["RUNNING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING"]);

/** Parses what squeue printed with SQUEUE_WORDS, by job id. Lines that are not of squeue, e.g. of a start-up file, are skipped. */
export function parseQueue(output: string): Map<string, AllocationState> {
  const found = new Map<string, AllocationState>();
  for (const line of output.split("\n")) {
    const [, id, state, reason, left, jobName] = /^\s*(\d+)\|([A-Z_]+)\|([^|]*)\|([^|]*)\|(.*)$/.exec(line) ?? [];
    if (id === undefined) continue;
    const kind = PENDING_STATES.has(state!) ? "pending" : RUNNING_STATES.has(state!) ? "running" : "ending";
    found.set(id, {
      jobName: jobName!.trim(),
      state: kind,
      ...(reason === "" || reason === "None" || kind !== "pending" ? {} : { reason: cleanReason(reason!) }),
      ...(kind === "running" ? { secondsLeft: parseTimeLeft(left!) } : {}),
    });
  }
  return found;
}

/**
 * Parses a span of time as Slurm prints it: `days-hours:minutes:seconds`, without leading parts that are zero, or INVALID for one that has
 * passed. undefined = no limit.
 */
export function parseTimeLeft(text: string): number | undefined {
  if (text.trim() === "INVALID") return 0;
  const [, days, hours, minutes, seconds] = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)$/.exec(text.trim()) ?? [];
  if (seconds === undefined) return undefined;
  return ((Number(days ?? 0) * 24 + Number(hours ?? 0)) * 60 + Number(minutes)) * 60 + Number(seconds);
}

/** Slurm's reasons are words; those that name nodes are long. */
function cleanReason(reason: string): string {
  return reason.replace(/[\p{C}]/gu, " ").slice(0, 120);
}

import type { LiveRun } from "../executor/run/record/liverun.js";
import { formatCount, formatRate, pluralize, toPrintableText } from "./format.js";
import { secondsSince } from "./liveestimates.js";
import { formatTimeLeft, isWaitingForTasks } from "./livetext.js";
import { formatRefusedTasks } from "./outcometext.js";
import { formatPilots } from "./pilottext.js";

/** How often it is repeated that a queue waits. */
const WAIT_LINE_INTERVAL_MS = 3_600_000;

/** The progress of a run, a line each time that it is asked for; of a queue that waits for tasks, only once an hour while nothing changes. */
export class ProgressLines {
  private wait: { line: string; atMs: number } | undefined;

  /** Returns the next line; undefined where there is nothing to be said. */
  next(live: LiveRun, nowMs: number): string | undefined {
    const line = formatTotalProgress(live, nowMs);
    if (!isWaitingForTasks(live)) {
      this.wait = undefined;
      return line;
    }
    if (this.wait?.line === line && nowMs - this.wait.atMs < WAIT_LINE_INTERVAL_MS) return undefined;
    this.wait = { line, atMs: nowMs };
    return line;
  }
}

/** Returns the progress of a run on one line: share, chunks, rate of this session, time left, failures. */
export function formatTotalProgress(live: LiveRun, nowMs: number): string {
  const { name, kind, chunks } = live;
  const [units, total] = [BigInt(live.units.done), BigInt(live.units.total)];
  const share = total === 0n ? 100 : Number((units * 1000n) / total) / 10;
  const done =
    kind === "range" ? pluralize(chunks.done, "chunk") : `${formatCount(chunks.done)} of ${pluralize(total, "chunk")}`;
  const seconds = Math.max(0.001, secondsSince(live.since, nowMs));
  // While a queue waits, its rate would only say for how long.
  const rate =
    live.units.session === "0" || isWaitingForTasks(live) ? "" : formatRate(Number(live.units.session) / seconds);
  const parts = [live.queue === "open" ? "queue open" : `${share} %`, done, rate, formatTimeLeft(live, nowMs)];
  if (chunks.failed > 0) parts.push(`${pluralize(chunks.failed, "chunk")} failed`);
  if (chunks.stopped !== undefined) parts.push(`${formatCount(chunks.stopped)} stopped`);
  parts.push(formatRefusedTasks(live.refusedTasks), ...formatPilots(live.pilots));
  return toPrintableText([`${name}: ${parts.filter((part) => part !== "").join(", ")}`]);
}

import type { Failure } from "../../schedule/events.js";
import type { JournalEntry } from "./journalentry.js";
import type { RunReplay } from "./replay.js";
import { convertToSecondsAtWork } from "./worktime.js";

export type NodeEntry = JournalEntry & { e: "node" };
export type HealEntry = JournalEntry & { e: "heal" };
export type SlotEntry = JournalEntry & { e: "slot" };
/** An attempt that failed. It ran from `from` to `at`; both are equal where it did not run, and in older journals. */
export type FailedAttempt = JournalEntry & { e: "tried" } & { from: number };
/** An attempt that ran from `from` to `at` and has neither a result nor a failure. */
export type StoppedAttempt = JournalEntry & { e: "stopped" } & { from: number };

export type IdleEntry = JournalEntry & { e: "idle" };

/** The commit of a chunk: its position among all commits, when its program ended, and how many units it has. */
export interface CommitRecord {
  index: number;
  end: number;
  /** The same time in seconds since the epoch; undefined in older journals, where `end` is when it was committed. */
  endEpochSeconds: number | undefined;
  units: bigint;
}

/** The records of a journal that a report shows one by one, with their times converted to seconds at work. */
export class RunTimeline {
  readonly commits = new Map<string, CommitRecord>();
  readonly failedAttempts: FailedAttempt[] = [];
  readonly stoppedAttempts: StoppedAttempt[] = [];
  readonly nodeEntries: NodeEntry[] = [];
  readonly slotEntries: SlotEntry[] = [];
  readonly healEntries: HealEntry[] = [];
  readonly idleEntries: IdleEntry[] = [];
  /** Of the last session. */
  failures: Failure[] = [];
  hasCommitTimes = false;

  /** Adds a record that `replay` has applied. */
  add(entry: JournalEntry, replay: RunReplay): void {
    switch (entry.e) {
      case "open":
        this.failures = [];
        break;
      case "done":
        this.addCommit(entry, replay);
        break;
      case "failed":
        this.failures.push(entry.failure);
        break;
      case "node":
        this.nodeEntries.push({ ...entry, at: replay.toSecondsAtWork(entry.at) });
        break;
      case "slot":
        this.slotEntries.push({ ...entry, at: replay.toSecondsAtWork(entry.at) });
        break;
      case "heal":
        this.healEntries.push({ ...entry, at: replay.toSecondsAtWork(entry.at) });
        break;
      case "idle":
        this.idleEntries.push({ ...entry, at: replay.toSecondsAtWork(entry.at) });
        break;
      case "tried":
        this.failedAttempts.push({ ...entry, ...locate(entry, replay) });
        break;
      case "stopped":
        this.stoppedAttempts.push({ ...entry, ...locate(entry, replay) });
        break;
      case "run":
      case "adopt":
      case "nodes":
      case "pilot":
      case "canary":
      case "notice":
      case "program":
      case "cancelled":
      case "publishing":
      case "replacing":
      case "log":
      case "stopping":
      case "close":
        break;
      default:
        entry satisfies never;
    }
  }

  private addCommit(entry: JournalEntry & { e: "done" }, replay: RunReplay): void {
    if (entry.at !== undefined || entry.ended !== undefined) this.hasCommitTimes = true;
    const at = entry.ended ?? entry.at;
    this.commits.set(entry.chunk, {
      index: this.commits.size,
      end: at === undefined ? replay.secondsAtWork : replay.toSecondsAtWork(at),
      endEpochSeconds: entry.ended === undefined ? undefined : toEpochSeconds(entry.ended, replay),
      units: BigInt(entry.end) - BigInt(entry.start),
    });
  }
}

/** Returns when an attempt ended and began, in seconds at work. */
function locate(
  { at, seconds = 0 }: { at: number; seconds?: number },
  replay: RunReplay,
): { at: number; from: number } {
  const end = replay.toSecondsAtWork(at);
  const from = convertToSecondsAtWork(replay.sessions, toEpochSeconds(at, replay) - seconds);
  return { at: end, from: Math.min(from, end) };
}

function toEpochSeconds(sessionSeconds: number, { lastOpen }: RunReplay): number {
  return Date.parse(lastOpen?.at ?? "") / 1000 + sessionSeconds;
}

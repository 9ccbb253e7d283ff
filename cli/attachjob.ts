import { setTimeout as sleep } from "node:timers/promises";
import type { JournalEntry } from "../executor/run/record/journalentry.js";
import type { LiveRun } from "../executor/run/record/liverun.js";
import { RunWatch } from "../executor/run/record/runwatch.js";
import { formatNotice } from "../report/journaltext.js";
import type { Writers } from "../report/writers.js";
import { createLiveDisplay } from "./livedisplay.js";
import type { CommonOptions } from "./options.js";
import { createPlainProgress } from "./performjob.js";

const POLL_MS = 500;

type Progress = ReturnType<typeof createPlainProgress>;

/** Shows the run of a job from its run directory, until its coordinator ends or the signal aborts. */
export async function attachToJob(
  path: string,
  options: CommonOptions,
  writers: Writers,
  signal: AbortSignal,
): Promise<void> {
  const watch = RunWatch.open(path, () => {});
  const display = await createLiveDisplay(options);
  const progress: Progress = display?.createObserver() ?? createPlainProgress(options, writers);
  const view = new WatchedView();
  try {
    while (watch.isActive && !signal.aborted) {
      view.update(watch.live, () => progress.runStarted(view, path, []));
      await sleep(POLL_MS, undefined, { signal }).catch(() => {});
      for (const entry of omitLastAttempts(watch.poll())) showEntry(entry, progress);
    }
  } finally {
    progress.end();
    display?.end();
    watch.close();
  }
}

/** What a coordinator wrote last of its run: it may remove live.json at any time. */
class WatchedView {
  private last: LiveRun | undefined;

  /** `start` is called when something is known for the first time. */
  update(live: LiveRun | undefined, start: () => void): void {
    const isFirst = this.last === undefined && live !== undefined;
    this.last = live ?? this.last;
    if (isFirst) start();
  }

  get current(): LiveRun {
    return this.last!;
  }
}

/** Leaves out attempts whose chunk was given up: the line about the chunk tells of them. */
function omitLastAttempts(entries: readonly JournalEntry[]): JournalEntry[] {
  const nameOf = ({ chunk, attempt }: { chunk: string; attempt: number }) => `${attempt} ${chunk}`;
  const last = new Set(entries.flatMap((entry) => (entry.e === "failed" ? [nameOf(entry.failure)] : [])));
  return entries.filter((entry) => entry.e !== "tried" || !last.has(nameOf(entry)));
}

function showEntry(entry: JournalEntry, progress: Progress): void {
  const line = formatNotice(entry);
  if (line !== undefined) progress.notice(line);
  else if (entry.e === "failed") progress.chunkFailed(entry.failure);
  else if (entry.e === "canary" && entry.differing !== undefined) progress.recheckDiffered(entry.differing);
  else if (entry.e === "tried") progress.attemptFailed({ ...entry, exit: null, signal: null, stderr: "" });
}

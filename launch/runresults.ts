import type { Job } from "../executor/job/job.js";
import { addListener } from "../executor/run/addlistener.js";
import { CommittedLines, countCommittedBytes } from "../executor/run/record/committedlines.js";
import { RunReplay } from "../executor/run/record/replay.js";
import { locateResults } from "../executor/run/record/resultsfolder.js";
import type { RunObserver } from "../executor/run/runobserver.js";
import { parseResultLine, type RunResult } from "./runresult.js";

/**
 * The results of a run, those of earlier sessions first, while it goes on. They are read from the run directory when they are asked for, so that
 * a slow reader needs no memory and does not delay the run.
 */
export class RunResults implements AsyncIterable<RunResult> {
  private path: string | undefined;
  private committedBytes = 0;
  private hasEnded = false;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly job: Job) {}

  /** Returns an observer that notifies another one, and learns what is committed. */
  observe(observer: RunObserver): RunObserver {
    return addListener(observer, {
      runStarted: (_, path) => this.update(path),
      chunksCommitted: () => this.update(this.path),
    });
  }

  /** Notes that the run has ended. `path`: the run directory, if the run was complete before. */
  end(path: string | undefined): void {
    this.hasEnded = true;
    if (this.path === undefined) this.update(path);
    else this.wake();
  }

  /** Yields each result once, and returns when the run has ended and all were read. */
  async *[Symbol.asyncIterator](): AsyncGenerator<RunResult, void, undefined> {
    let lines: CommittedLines | undefined;
    try {
      for (let read = 0; ; ) {
        const { path, hasEnded, committedBytes } = this;
        if (path !== undefined) {
          lines ??= new CommittedLines(path);
          const folder = locateResults(path, "", this.job, new RunReplay());
          for (const line of lines.read(committedBytes)) yield parseResultLine(line, this.job, folder);
          read = committedBytes;
        }
        if (hasEnded) return;
        if (read === this.committedBytes && !this.hasEnded) await this.change();
      }
    } finally {
      lines?.close();
    }
  }

  private update(path: string | undefined): void {
    this.path = path;
    if (path !== undefined) this.committedBytes = countCommittedBytes(path);
    this.wake();
  }

  private wake(): void {
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.add(resolve);
    });
  }
}

import type { Job } from "../executor/job/job.js";
import { addListener } from "../executor/run/addlistener.js";
import type { RunObserver } from "../executor/run/runobserver.js";
import type { RunResult } from "../launch/runresult.js";
import { RunResults } from "../launch/runresults.js";
import type { Writers } from "../report/writers.js";
import { formatJson } from "../schemas/escape.js";
import { formatPlainJson } from "../schemas/plainjson.js";
import type { ResultOutput } from "./resultoutput.js";
import { onStdoutClosed, waitForStdout } from "./terminal.js";

/** Only a write tells that a pipe has no reader any more. */
const ALIVE_MS = 10_000;

/**
 * Prints a run as JSON lines: `{"run": ...}` when it begins, `{"result": ...}` for each committed result, and `{"alive": true}` every 10 s. Its
 * summary is the caller's.
 */
export class JsonLines implements ResultOutput {
  /** Fires when nobody reads the lines any more. */
  readonly closed: AbortSignal;
  private readonly results: RunResults;
  private readonly printing: Promise<void>;
  private readonly aliveTimer: NodeJS.Timeout;
  private hasBegun = false;

  constructor(
    job: Job,
    private readonly notes: readonly string[],
    private readonly writers: Writers,
  ) {
    const closing = new AbortController();
    onStdoutClosed(() => closing.abort());
    this.closed = closing.signal;
    this.aliveTimer = setInterval(() => {
      if (this.hasBegun && !this.closed.aborted) this.writers.out('{"alive":true}');
    }, ALIVE_MS);
    this.aliveTimer.unref();
    this.results = new RunResults(job);
    this.printing = this.printResults();
    // It is awaited at the end of the run, and may fail earlier.
    this.printing.catch(() => {});
  }

  observe(observer: RunObserver): RunObserver {
    return addListener(this.results.observe(observer), { runStarted: (_, path) => this.begin(path) });
  }

  async finish(path: string): Promise<void> {
    this.begin(path);
    this.results.end(path);
    await this.printing;
    clearInterval(this.aliveTimer);
  }

  private begin(directory: string): void {
    if (!this.hasBegun) this.writers.out(formatJson({ run: { directory, notes: this.notes } }));
    this.hasBegun = true;
  }

  private async printResults(): Promise<void> {
    for await (const result of this.results) {
      if (this.closed.aborted) return;
      this.writers.out(`{"result":${formatResult(result)}}`);
      await waitForStdout();
    }
  }
}

/** An output that cannot be repeated, because it is nested too deep, is left out like one that is too large. */
function formatResult(result: RunResult): string {
  const formatted = formatPlainJson(result);
  return formatted.ok ? formatted.text : formatResult({ ...result, output: null });
}

import type { NodeWorker } from "../executor/run/node/nodeworker.js";
import type { RecheckDifference } from "../executor/run/record/journalentry.js";
import type { ExcludedNode } from "../executor/run/record/runsummary.js";
import type { RunObserver, RunView } from "../executor/run/runobserver.js";
import type { Failure } from "../executor/schedule/events.js";
import { FailureDigest } from "./failuredigest.js";
import { toPrintableText } from "./format.js";
import { formatNodeChange } from "./journaltext.js";
import { formatMemoryWait } from "./livetext.js";
import { formatTotalProgress, ProgressLines } from "./progresstext.js";
import { formatMismatch } from "./summarytext.js";
import type { Writers } from "./writers.js";

const LINE_INTERVAL_MS = 10_000;

/** An observer that prints nothing. */
export const silentProgress: RunObserver & { end(): void } = {
  runStarted() {},
  nodeChanged() {},
  slotHolderChanged() {},
  memoryPressureChanged() {},
  nodeWarning() {},
  notice() {},
  attemptFailed() {},
  recheckDiffered() {},
  chunkFailed() {},
  chunksCommitted() {},
  end() {},
};

/** Prints a line for each event of a run, and its progress at intervals: for pipes, files and cron. */
export class PlainProgress implements RunObserver {
  private timer: NodeJS.Timeout | undefined;
  private readonly failures = new FailureDigest();
  private view: RunView | undefined;

  constructor(protected readonly writers: Writers) {}

  runStarted(view: RunView, path: string, leftOut: ExcludedNode[]): void {
    this.view = view;
    this.print(`run directory: ${path}`);
    for (const { node, reason } of leftOut) this.print(`${node}: not used: ${reason}`);
    this.startPrinting(view);
  }

  nodeChanged(worker: NodeWorker): void {
    const { node, state, slots, reason, error } = worker;
    // A pilot comes and goes; where its connection ends, there is nothing to be done.
    const isAdvised = node.allocation === undefined ? state !== "live" : state === "refused";
    const advice = isAdvised && error?.next ? `\n    ${error.next}` : "";
    this.print(`${formatNodeChange(node.name, state, slots.length, reason)}${advice}`);
  }

  slotHolderChanged(worker: NodeWorker, slot: number, holder: string | undefined): void {
    const what = holder === undefined ? "is free again" : `waits for ${holder}`;
    this.print(`${worker.node.name}: slot ${slot} ${what}`);
  }

  memoryPressureChanged(worker: NodeWorker): void {
    this.print(`${worker.node.name}: ${formatMemoryWait(worker.slotMonitor.memoryWaitingSlots)}`);
  }

  nodeWarning(worker: NodeWorker, message: string): void {
    this.print(`${worker.node.name}: ${message}`);
  }

  notice(message: string): void {
    this.print(message);
  }

  attemptFailed(failure: Failure): void {
    this.printAny(this.failures.describeAttempt(failure));
  }

  recheckDiffered(differing: RecheckDifference): void {
    this.print(formatMismatch(differing));
  }

  chunkFailed(failure: Failure): void {
    this.printAny(this.failures.describeChunk(failure));
  }

  chunksCommitted(): void {}

  end(): void {
    clearInterval(this.timer);
    if (this.view !== undefined) this.printTotal(this.view);
  }

  /** Prints the progress at intervals from now on. */
  protected startPrinting(view: RunView): void {
    const lines = new ProgressLines();
    this.timer = setInterval(() => {
      const line = lines.next(view.current, Date.now());
      if (line !== undefined) this.print(line);
    }, LINE_INTERVAL_MS);
  }

  private printTotal({ current }: RunView): void {
    this.print(formatTotalProgress(current, Date.now()));
  }

  private printAny(lines: string[]): void {
    if (lines.length > 0) this.print(...lines);
  }

  protected print(...lines: string[]): void {
    this.writers.err(toPrintableText(lines));
  }
}

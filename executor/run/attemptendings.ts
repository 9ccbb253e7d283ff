import type { Attempt, Event, Failure, Instruction } from "../schedule/events.js";
import type { Scheduler } from "../schedule/scheduler.js";
import { type DoneMessage, decodeFinished } from "./agent/protocol.js";
import type { ChunkEvents } from "./chunkevents.js";
import { describeEnd } from "./describeend.js";
import {
  createFailure,
  createStagingFailure,
  determineOutcome,
  hasLeft,
  isConnectionLost,
} from "./node/attemptfailure.js";
import type { NodeEvent } from "./node/nodeevent.js";
import type { NodeWorker } from "./node/nodeworker.js";
import type { RunCounters } from "./record/counters.js";
import type { RunDirectory } from "./record/rundir.js";
import type { CollectedResult } from "./results/collectedresult.js";
import { Collector, type CollectorEvent } from "./results/collector.js";
import type { Rechecks } from "./results/rechecks.js";
import type { RunEnd } from "./runend.js";
import type { RunObserver } from "./runobserver.js";
import type { RunReports } from "./runreports.js";
import { monotonicSeconds } from "./timer.js";

/** What the ends of attempts act on. */
export interface EndingsContext {
  directory: RunDirectory;
  scheduler: Scheduler;
  workersByName: ReadonlyMap<string, NodeWorker>;
  counters: RunCounters;
  reports: RunReports;
  rechecks: Rechecks;
  observer: RunObserver;
  chunkEvents: ChunkEvents;
  /** Passes an event to the scheduler, and carries out what it decides. */
  handleEvent: (event: Event) => void;
  /** Carries out what the scheduler has decided. */
  perform: (instructions: Instruction[]) => void;
  /** Ends the run. */
  end: (how: RunEnd) => void;
}

/** Handles the ends of attempts: has what they leave collected, reports what becomes of them, and acknowledges them to their agents. */
export class AttemptEndings {
  readonly collector: Collector;

  constructor(private readonly run: EndingsContext) {
    const { directory, rechecks, counters, scheduler } = run;
    this.collector = new Collector({
      job: counters.job,
      directory,
      rechecks,
      counters,
      inFlightCount: () => scheduler.inFlightCount,
      fateOf: (id) => scheduler.fateOf(id),
      emit: (event) => this.handleCollectorEvent(event),
    });
  }

  /** Handles the end of an attempt. An agent repeats its message until it is acknowledged. */
  handleDone(worker: NodeWorker, done: DoneMessage): void {
    const { scheduler, reports } = this.run;
    const attempt = scheduler.attempt(done.id);
    if (attempt === undefined) return worker.send({ op: "ack", ids: [done.id] });
    if (!scheduler.isRunning(done.id)) return;
    reports.noteEnded(attempt, done, scheduler.queueChanges.isEnding(done.id));
    if (done.lost) reports.recordLog(attempt, "its agent died while it ran");
    const outcome = determineOutcome(attempt, done, attempt.chunk.spec.timeout);
    if (scheduler.stops.isWanted(attempt.chunk.id) && !done.lost && !(outcome.ok && !done.cancelled))
      return this.collectStopped(worker, attempt, done);
    if (done.lost || (done.cancelled && !hasLeft(done))) return this.close(attempt, "requeued");
    if (done.cancelled) return this.collector.collectStopped(describeEnd(worker, attempt, done));
    if (outcome.ok) this.run.handleEvent({ type: "finished", attempt: attempt.id, ...decodeFinished(done) });
    // The event may have replaced the attempt: a split shortens its chunk.
    const current = scheduler.attempt(done.id) ?? attempt;
    const ended = describeEnd(worker, current, done);
    if (outcome.ok) this.collector.collectResult(ended);
    else this.collector.collectLogs(ended, outcome.failure);
  }

  /** Has what an attempt at a chunk that is to be stopped has written become the result; a recheck of it has none. */
  private collectStopped(worker: NodeWorker, attempt: Attempt, done: DoneMessage): void {
    this.run.handleEvent({ type: "stopped", attempt: attempt.id });
    this.collector.collectPartialResult(describeEnd(worker, attempt, done));
  }

  /** Handles an attempt whose files could not be brought to its node. */
  handleStagingFailure(worker: NodeWorker, event: Extract<NodeEvent, { type: "stagingFailed" }>): void {
    const { attempt, source, error } = event;
    if (isConnectionLost(error)) {
      worker.reportConnectionError(source, error);
      return this.run.handleEvent({ type: "requeued", attempt: attempt.id });
    }
    this.fail(attempt, createStagingFailure(attempt, error));
  }

  /** Handles a chunk that must not run: it is not tried again. */
  handleRefusedStart(attempt: Attempt, reason: string): void {
    this.fail(attempt, { ...createFailure(attempt, reason), isFinal: true });
  }

  private handleCollectorEvent(event: CollectorEvent): void {
    const { reports, workersByName } = this.run;
    switch (event.type) {
      case "committed":
        return this.finishCommit(event.results);
      case "held":
        return this.run.handleEvent({ type: "held", attempt: event.attempt.id });
      case "unneeded":
      case "dropped":
      case "rechecked":
        reports.reportDiscarded(event);
        return this.close(event.attempt, "committed");
      case "failed":
      case "refused":
        return this.fail(event.attempt, event.failure, event.type);
      case "interrupted":
        return this.handleInterruptedCollection(event);
      case "stopped":
        reports.recordLog(event.attempt);
        return this.close(event.attempt, "requeued");
      case "logsLost":
      case "stateLost":
        return reports.reportLost(workersByName.get(event.attempt.node)!, event);
      case "diskFailed":
        return this.run.end({ state: "broken", error: event.error });
      default:
        return event satisfies never;
    }
  }

  /** Closes an attempt that has no result, or none that is needed: its chunk is committed already, or is queued again. */
  private close(attempt: Attempt, type: "committed" | "requeued"): void {
    this.acknowledge([attempt]);
    this.run.handleEvent({ type, attempt: attempt.id });
  }

  private handleInterruptedCollection({ attempt, done, lost }: Extract<CollectorEvent, { type: "interrupted" }>): void {
    const worker = this.run.workersByName.get(attempt.node)!;
    this.run.handleEvent({ type: "collectFailed", attempt: attempt.id });
    if (lost === undefined) return;
    worker.reportConnectionError(lost.source, lost.error);
    // If the node is connected again, its agent reported the attempt while the collection was failing, and will not do so again.
    if (worker.resultSource !== undefined) this.handleDone(worker, done);
    else if (worker.state !== "silent") this.run.handleEvent({ type: "requeued", attempt: attempt.id });
  }

  private fail(attempt: Attempt, failed: Failure, type: "failed" | "refused" = "failed"): void {
    const { scheduler, reports, workersByName } = this.run;
    if (scheduler.attempt(attempt.id) === undefined) return;
    this.acknowledge([attempt]);
    workersByName.get(attempt.node)?.slotMonitor.checkSoon();
    const instructions = scheduler.handle({ type, attempt: attempt.id, failure: failed }, monotonicSeconds());
    reports.recordFailedAttempt(failed);
    // A chunk that is given up is shown with its last attempt, in one line.
    const isLast = instructions.some((one) => one.do === "give-up" && one.failure === failed);
    if (!isLast) this.run.observer.attemptFailed(failed);
    reports.reportMissingFiles(attempt, failed);
    this.run.perform(instructions);
  }

  private finishCommit(results: readonly CollectedResult[]): void {
    for (const result of results) {
      this.run.counters.countCommitted(result);
      this.run.handleEvent({ type: "committed", attempt: result.attempt.id });
    }
    this.acknowledge(results.map(({ attempt }) => attempt));
    this.run.chunkEvents.emit("committed", results.length);
    this.run.observer.chunksCommitted();
  }

  /** Acknowledges attempts to their agents, which may delete them then. */
  private acknowledge(attempts: readonly Attempt[]): void {
    for (const worker of this.run.workersByName.values()) {
      const ids = attempts.filter(({ node }) => node === worker.node.name).map(({ id }) => id);
      if (ids.length > 0) worker.send({ op: "ack", ids });
    }
  }
}

import type { Attempt, Event, Failure, Instruction } from "../schedule/events.js";
import type { LearnedRates } from "../schedule/rates/rates.js";
import { Scheduler } from "../schedule/scheduler.js";
import { expectNodes } from "../schedule/slots/expectednodes.js";
import { acknowledge } from "./acknowledge.js";
import { type DoneMessage, decodeFinished, decodeSplit } from "./agent/protocol.js";
import { AttemptProgress } from "./attemptprogress.js";
import { markEarlierLeftovers } from "./cleanleftovers.js";
import type { CoordinatorOptions } from "./coordinatoroptions.js";
import { describeEnd } from "./describeend.js";
import { failpoint } from "./failpoint.js";
import { leaveNodes } from "./leavenodes.js";
import { TOO_MANY_MESSAGES } from "./node/attachment.js";
import { createStagingFailure, determineOutcome, hasLeft, isConnectionLost } from "./node/attemptfailure.js";
import { isAbsent, joinNodes } from "./node/joinnodes.js";
import type { AttemptMessage, NodeEvent } from "./node/nodeevent.js";
import { NodeWorker } from "./node/nodeworker.js";
import { checkAttemptMessage } from "./node/protocolviolation.js";
import type { SlotEvent } from "./node/slotmonitor.js";
import { performInstruction } from "./performinstruction.js";
import { RunCounters } from "./record/counters.js";
import { EventLog } from "./record/eventlog.js";
import type { RunDirectory } from "./record/rundir.js";
import { Collector, type CollectorEvent } from "./results/collector.js";
import { findEndFor, findStrandedEnd, type RunEnd } from "./runend.js";
import type { RunObserver } from "./runobserver.js";
import { RunReports } from "./runreports.js";
import { settleCollection } from "./settlecollection.js";
import { StartupTimes } from "./startuptimes.js";
import { monotonicSeconds, WakeUpTimer } from "./timer.js";

/**
 * Carries out the scheduler's instructions for one run: starts attempts, collects and commits their results, and passes what
 * happens on nodes to the scheduler as events. Its memory holds only the chunks in flight and counters.
 */
export class Coordinator {
  private readonly directory: RunDirectory;
  private readonly observer: RunObserver;
  readonly workers: NodeWorker[];
  readonly counters: RunCounters;
  readonly scheduler: Scheduler;
  readonly progress = new AttemptProgress((id) => this.scheduler.attempt(id));
  private readonly workersByName = new Map<string, NodeWorker>();
  private readonly reports: RunReports;
  private readonly collector: Collector;
  private readonly startupTimes = new StartupTimes();
  private readonly wakeUpTimer = new WakeUpTimer(() => this.event({ type: "tick" }));
  private ended: RunEnd | undefined;
  private isJoining = true;
  private resolveEnd: (ended: RunEnd) => void = () => {};

  constructor({ job, nodes, directory, run, observer, learnedRates, rechecks }: CoordinatorOptions) {
    this.directory = directory;
    this.observer = observer;
    const { journal, replay, ids } = directory;
    const eventLog = new EventLog(directory);
    this.counters = new RunCounters(job, replay, (node, slot, out) => eventLog.recordSlotState(node, slot, out));
    const records = { observer, eventLog, journal, replay, rechecks, preempted: run.preempted };
    this.reports = new RunReports({ ...records, counters: this.counters });
    const likely = nodes.filter(({ name, drain }) => !drain && !learnedRates.absent?.includes(name));
    const expected = expectNodes(job, likely, learnedRates);
    const { committedUnits: done, committedChunks: count } = replay;
    const pending = rechecks.pending;
    this.scheduler = new Scheduler(job, done, ids.issue.bind(ids), expected, learnedRates, pending, count);
    this.workers = nodes.map((node) => new NodeWorker(node, job, run, ids, this.handleNodeEvent.bind(this)));
    for (const worker of this.workers) this.workersByName.set(worker.node.name, worker);
    markEarlierLeftovers(this.workers, replay.leftovers);
    this.collector = new Collector({
      job,
      directory,
      rechecks,
      counters: this.counters,
      inFlightCount: () => this.scheduler.inFlightCount,
      fateOf: (id) => this.scheduler.fateOf(id),
      emit: (event) => this.handleCollectorEvent(event),
    });
  }

  /** Runs the job until it ends or `stop` fires. The journal and all results are on disk when it resolves; call `leave` then. */
  async work(stop: AbortSignal): Promise<RunEnd> {
    const ended = new Promise<RunEnd>((resolve) => {
      this.resolveEnd = resolve;
    });
    const interrupt = () => this.end({ state: "interrupted" });
    stop.addEventListener("abort", interrupt);
    if (stop.aborted) interrupt();
    const joining = joinNodes(this.workers);
    void joining.holders.then(() => this.event({ type: "dispatchOpened" }));
    void joining.all.then(() => {
      this.isJoining = false;
      this.event({ type: "allJoined" });
      this.endIfStranded();
    });
    const end = await ended;
    stop.removeEventListener("abort", interrupt);
    this.wakeUpTimer.stop();
    for (const worker of this.workers) worker.slotMonitor.stop();
    await settleCollection(this.collector, this.workers, end);
    return end;
  }

  /** Leaves the nodes: agents that the next coordinator needs keep running, others are stopped and clean up. */
  async leave(end: RunEnd): Promise<void> {
    await leaveNodes(this.workers, end, this.directory, (message) => this.observer.notice(message));
  }

  /** Returns what this run has learned, for later runs of the same kind of work. */
  learned(): LearnedRates {
    const absent = this.workers.filter(isAbsent).map(({ node }) => node.name);
    return { ...this.scheduler.learned(), startup: this.startupTimes.measured, absent };
  }

  /** Passes an event to the scheduler. */
  event(event: Event): void {
    this.perform(this.scheduler.handle(event, monotonicSeconds()));
  }

  private handleNodeEvent(worker: NodeWorker, event: NodeEvent): void {
    switch (event.type) {
      case "stateChanged":
        return this.handleStateChange(worker);
      case "warning":
        return this.observer.nodeWarning(worker, event.message);
      case "programSeen":
        return this.reports.reportProgram(worker, event.path, event.sha256);
      case "attemptMessage":
        return this.handleAttemptMessage(worker, event.message);
      case "progress":
        return this.progress.receive(worker, event.message);
      case "stagingFailed":
        return this.handleStagingFailure(worker, event);
      case "nodeJoined":
      case "nodeDisconnected":
      case "nodeLost":
      case "requeued":
        return this.event(event);
      case "slotSick":
      case "slotRecovered":
      case "slotBroken":
      case "slotHeld":
      case "memoryPressure":
      case "gpuCheckFailed":
        return this.handleSlotEvent(worker, event);
      default:
        return event satisfies never;
    }
  }

  private handleStateChange(worker: NodeWorker): void {
    this.reports.reportNodeState(worker);
    this.end(findEndFor(worker.error));
    if (worker.state !== "live") this.endIfStranded();
  }

  private handleSlotEvent(worker: NodeWorker, event: SlotEvent): void {
    if (this.ended !== undefined) return;
    this.reports.reportSlotEvent(worker, event);
    if (event.type === "gpuCheckFailed") return;
    this.event({ ...event, node: worker.node.name });
    this.endIfStranded();
  }

  private handleAttemptMessage(worker: NodeWorker, message: AttemptMessage): void {
    const attempt = this.scheduler.attempt(message.id);
    if (attempt === undefined && !worker.rateLimiter.tryAcquire(monotonicSeconds()))
      return worker.refuseForViolation(TOO_MANY_MESSAGES);
    const check = attempt && checkAttemptMessage(message, attempt, worker.node.name, this.directory.ids);
    if (check?.ok === false) return worker.refuseForViolation(check.violation);
    if (this.ended !== undefined) return;
    switch (message.ev) {
      case "started":
        failpoint("started");
        this.startupTimes.recordStart(worker.node.name);
        if (attempt !== undefined) this.reports.noteStarted(attempt);
        return this.event({ type: "started", attempt: message.id });
      case "preempted":
        if (attempt !== undefined) this.reports.reportPreempted(worker, attempt, message.run);
        return this.event({ type: "preempted", attempt: message.id, run: message.run });
      case "split":
        return this.event({ type: "split", ...decodeSplit(message) });
      case "saved":
        return attempt && this.collector.collectState(attempt, message.state, worker.resultSource);
      case "done":
        failpoint("done");
        return this.done(worker, message);
      default:
        return message satisfies never;
    }
  }

  private handleStagingFailure(worker: NodeWorker, event: Extract<NodeEvent, { type: "stagingFailed" }>): void {
    const { attempt, source, error } = event;
    if (isConnectionLost(error)) {
      worker.reportConnectionError(source, error);
      return this.event({ type: "requeued", attempt: attempt.id });
    }
    this.fail(attempt, createStagingFailure(attempt, error));
  }

  private handleCollectorEvent(event: CollectorEvent): void {
    switch (event.type) {
      case "committed":
        return this.committed(event.attempts);
      case "held":
        return this.event({ type: "held", attempt: event.attempt.id });
      case "unneeded":
      case "dropped":
      case "rechecked":
        this.reports.reportDiscarded(event);
        return this.close(event.attempt, "committed");
      case "failed":
      case "refused":
        return this.fail(event.attempt, event.failure, event.type);
      case "interrupted":
        return this.handleInterruptedCollection(event);
      case "stopped":
        this.reports.recordLog(event.attempt);
        return this.close(event.attempt, "requeued");
      case "logsLost":
      case "stateLost":
        return this.reports.reportLost(this.workersByName.get(event.attempt.node)!, event);
      case "diskFailed":
        return this.end({ state: "broken", error: event.error });
      default:
        return event satisfies never;
    }
  }

  /** Closes an attempt that has no result, or none that is needed: its chunk is committed already, or is queued again. */
  private close(attempt: Attempt, type: "committed" | "requeued"): void {
    acknowledge(this.workers, [attempt]);
    this.event({ type, attempt: attempt.id });
  }

  private handleInterruptedCollection({ attempt, done, lost }: Extract<CollectorEvent, { type: "interrupted" }>): void {
    const worker = this.workersByName.get(attempt.node)!;
    this.event({ type: "collectFailed", attempt: attempt.id });
    if (lost === undefined) return;
    worker.reportConnectionError(lost.source, lost.error);
    // If the node is connected again, its agent reported the attempt while the collection was failing, and will not do so again.
    if (worker.resultSource !== undefined) this.done(worker, done);
    else if (worker.state !== "silent") this.event({ type: "requeued", attempt: attempt.id });
  }

  /** Handles the end of an attempt. An agent repeats its message until it is acknowledged. */
  private done(worker: NodeWorker, done: DoneMessage): void {
    const attempt = this.scheduler.attempt(done.id);
    if (attempt === undefined) return worker.send({ op: "ack", ids: [done.id] });
    if (!this.scheduler.isRunning(done.id)) return;
    this.reports.noteEnded(attempt, done);
    if (done.lost) this.reports.recordLog(attempt, "its agent died while it ran");
    if (done.lost || (done.canceled && !hasLeft(done))) return this.close(attempt, "requeued");
    if (done.canceled) return this.collector.collectStopped(describeEnd(worker, attempt, done));
    const outcome = determineOutcome(attempt, done, attempt.chunk.spec.timeout);
    if (outcome.ok) this.event({ type: "finished", attempt: attempt.id, ...decodeFinished(done) });
    // The event may have replaced the attempt: a split shortens its chunk.
    const current = this.scheduler.attempt(done.id) ?? attempt;
    const ended = describeEnd(worker, current, done);
    if (outcome.ok) this.collector.collectResult(ended);
    else this.collector.collectLogs(ended, outcome.failure);
  }

  private fail(attempt: Attempt, failed: Failure, type: "failed" | "refused" = "failed"): void {
    if (this.scheduler.attempt(attempt.id) === undefined) return;
    acknowledge(this.workers, [attempt]);
    this.workersByName.get(attempt.node)?.slotMonitor.checkSoon();
    this.reports.reportFailedAttempt(failed);
    this.reports.reportMissingFiles(attempt, failed);
    this.event({ type, attempt: attempt.id, failure: failed });
  }

  private committed(attempts: Attempt[]): void {
    for (const attempt of attempts) {
      this.counters.countCommitted(attempt);
      this.event({ type: "committed", attempt: attempt.id });
    }
    acknowledge(this.workers, attempts);
    this.observer.chunksCommitted();
  }

  private perform(instructions: Instruction[]): void {
    const { workersByName, counters, reports, collector, wakeUpTimer } = this;
    const parts = { workersByName, counters, reports, collector, wakeUpTimer, end: (how: RunEnd) => this.end(how) };
    for (const instruction of instructions) if (this.ended === undefined) performInstruction(instruction, parts);
  }

  /** Ends the run where no node is usable, and none is expected to be within its grace period. */
  private endIfStranded(): void {
    if (!this.isJoining && this.workers.every((worker) => worker.isHopeless)) this.end(findStrandedEnd(this.workers));
  }

  private end(ended: RunEnd | undefined): void {
    if (ended === undefined || this.ended !== undefined) return;
    this.ended = ended;
    this.reports.recordSessionEnd();
    this.resolveEnd(ended);
  }
}

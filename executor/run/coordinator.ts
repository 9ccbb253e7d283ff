import type { Node } from "../../fleet/node.js";
import type { Event, Instruction } from "../schedule/events.js";
import type { LearnedRates } from "../schedule/rates/rates.js";
import { Scheduler } from "../schedule/scheduler.js";
import { expectNodes } from "../schedule/slots/expectednodes.js";
import { decodeSplit } from "./agent/protocol.js";
import type { TaskDemand } from "./ask/askwant.js";
import { AttemptEndings } from "./attemptendings.js";
import { AttemptProgress } from "./attemptprogress.js";
import { ChunkEvents } from "./chunkevents.js";
import { markEarlierLeftovers } from "./cleanleftovers.js";
import type { CoordinatorOptions } from "./coordinatoroptions.js";
import { failpoint } from "./failpoint.js";
import { leaveNodes } from "./leavenodes.js";
import { TOO_MANY_MESSAGES } from "./node/attachment.js";
import { isAbsent, joinNodes } from "./node/joinnodes.js";
import type { AttemptMessage, NodeEvent } from "./node/nodeevent.js";
import { NodeWorker } from "./node/nodeworker.js";
import { checkAttemptMessage } from "./node/protocolviolation.js";
import type { SlotEvent } from "./node/slotmonitor.js";
import { performInstruction } from "./performinstruction.js";
import { RunCounters } from "./record/counters.js";
import { EventLog } from "./record/eventlog.js";
import type { RunDirectory } from "./record/rundir.js";
import { ReportedValues } from "./reportedvalues.js";
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
  readonly directory: RunDirectory;
  private readonly observer: RunObserver;
  readonly workers: NodeWorker[];
  readonly counters: RunCounters;
  readonly scheduler: Scheduler;
  readonly progress = new AttemptProgress((id) => this.scheduler.attempt(id));
  readonly chunkEvents = new ChunkEvents();
  readonly values = new ReportedValues((id) => this.scheduler.attempt(id) !== undefined, this.chunkEvents);
  private readonly workersByName = new Map<string, NodeWorker>();
  readonly reports: RunReports;
  readonly endings: AttemptEndings;
  private readonly startupTimes = new StartupTimes();
  private readonly wakeUpTimer = new WakeUpTimer(() => this.event({ type: "tick" }));
  private ended: RunEnd | undefined;
  private isJoining = true;
  private expectsMoreNodes = false;
  private readonly createWorker: (node: Node) => NodeWorker;
  private resolveEnd: (ended: RunEnd) => void = () => {};

  constructor({ job, nodes, directory, run, observer, learnedRates, rechecks }: CoordinatorOptions) {
    this.directory = directory;
    this.observer = observer;
    const { journal, replay, ids } = directory;
    const eventLog = new EventLog(directory);
    this.counters = new RunCounters(job, replay, (node, slot, out) => eventLog.recordSlotState(node, slot, out));
    const { chunkEvents } = this;
    const records = { observer, chunkEvents, eventLog, journal, replay, rechecks, preempted: run.preempted };
    this.reports = new RunReports({ ...records, counters: this.counters });
    const likely = nodes.filter(({ name, drain }) => !drain && !learnedRates.absent?.includes(name));
    const expected = expectNodes(job, likely, learnedRates);
    const { settledUnits: done, committedChunks } = replay;
    const start = { done, committedChunks, rechecks: rechecks.pending, expected, learned: learnedRates };
    this.scheduler = new Scheduler(job, ids.issue.bind(ids), start);
    this.createWorker = (node) => new NodeWorker(node, job, run, ids, this.handleNodeEvent.bind(this));
    this.workers = nodes.map(this.createWorker);
    for (const worker of this.workers) this.workersByName.set(worker.node.name, worker);
    markEarlierLeftovers(this.workers, replay.leftovers);
    const { workersByName, counters, reports, scheduler } = this;
    const handleEvent = (event: Event) => this.event(event);
    const end = (how: RunEnd) => this.end(how);
    const parts = { directory, scheduler, workersByName, counters, reports, rechecks, observer, chunkEvents };
    const perform = (instructions: Instruction[]) => this.perform(instructions);
    this.endings = new AttemptEndings({ ...parts, handleEvent, perform, end });
  }

  /**
   * Runs the job until it ends or `stop` fires. `resumed`: settles when further nodes that may hold work of an earlier session have joined.
   * The journal and all results are on disk when it resolves; call `leave` then.
   */
  async work(stop: AbortSignal, stopEnd: RunEnd = { state: "interrupted" }, resumed?: Promise<void>): Promise<RunEnd> {
    const ended = new Promise<RunEnd>((resolve) => {
      this.resolveEnd = resolve;
    });
    const interrupt = () => this.end(stopEnd);
    stop.addEventListener("abort", interrupt);
    if (stop.aborted) interrupt();
    for (const chunk of this.directory.replay.stopRequests) this.event({ type: "stopRequested", chunk });
    const joining = joinNodes(this.workers);
    void Promise.all([joining.holders, resumed]).then(() => this.event({ type: "dispatchOpened" }));
    void joining.all.then(() => {
      this.isJoining = false;
      this.event({ type: "allJoined" });
      this.endIfStranded();
    });
    const end = await ended;
    stop.removeEventListener("abort", interrupt);
    this.wakeUpTimer.stop();
    for (const worker of this.workers) worker.slotMonitor.stop();
    await settleCollection(this.endings.collector, this.workers, end);
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

  /** How many slots may get work, and how many chunks have neither a result nor failed. */
  get demand(): TaskDemand {
    const { job, units, failedUnits } = this.counters;
    const openTasks = Math.max(0, Number(job.units - units - failedUnits));
    return { usableSlots: this.scheduler.view.usableSlots, openTasks };
  }

  /** Has a node join that was not known when the run began. `deadline`: when it leaves, in monotonic seconds. */
  addNode(node: Node, deadline: number): void {
    if (this.ended !== undefined || this.workersByName.has(node.name)) return;
    const worker = this.createWorker(node);
    worker.deadline = deadline;
    this.workers.push(worker);
    this.workersByName.set(node.name, worker);
    void worker.join();
  }

  workerOf(node: string): NodeWorker | undefined {
    return this.workersByName.get(node);
  }

  /** Notes whether nodes that are not known yet may join: the run waits for them. */
  expectMoreNodes(expected: boolean): void {
    this.expectsMoreNodes = expected;
    if (this.ended !== undefined) return;
    this.event({ type: "moreNodesExpected", expected });
    this.endIfStranded();
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
        return this.endings.handleStagingFailure(worker, event);
      case "startRefused":
        return this.endings.handleRefusedStart(event.attempt, event.reason);
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
    // An allocation that ends takes all of its slots out of use: its end is reported.
    if (worker.node.allocation === undefined || event.type !== "slotBroken")
      this.reports.reportSlotEvent(worker, event);
    if (event.type === "gpuCheckFailed") return;
    this.event({ ...event, node: worker.node.name });
    this.endIfStranded();
  }

  private handleAttemptMessage(worker: NodeWorker, message: AttemptMessage): void {
    const attempt = this.scheduler.attempt(message.id);
    if ((attempt === undefined || message.ev === "idle") && !worker.rateLimiter.tryAcquire(monotonicSeconds()))
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
      case "values":
        return attempt && this.values.receive(worker, attempt, message);
      case "saved":
        return attempt && this.endings.collector.collectState(attempt, message.state, worker.resultSource);
      case "idle":
        return attempt && this.reports.reportIdleGpu(worker, attempt, message);
      case "done":
        failpoint("done");
        return this.endings.handleDone(worker, message);
      default:
        return message satisfies never;
    }
  }

  private perform(instructions: Instruction[]): void {
    const { workersByName, counters, reports, wakeUpTimer } = this;
    const { collector } = this.endings;
    const parts = { workersByName, counters, reports, collector, wakeUpTimer, end: (how: RunEnd) => this.end(how) };
    for (const instruction of instructions) if (this.ended === undefined) performInstruction(instruction, parts);
  }

  /** Ends the run where no node is usable, and none is expected to be within its grace period. */
  endIfStranded(): void {
    if (!this.isJoining && !this.expectsMoreNodes && this.workers.every((worker) => worker.isHopeless))
      this.end(findStrandedEnd(this.workers));
  }

  /** Ends the run, unless it has ended or `ended` is undefined. */
  end(ended: RunEnd | undefined): void {
    if (ended === undefined || this.ended !== undefined) return;
    this.ended = ended;
    this.reports.recordSessionEnd();
    this.resolveEnd(ended);
  }
}

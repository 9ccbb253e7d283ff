import type { Node } from "../../fleet/node.js";
import type { Job } from "../job/job.js";
import type { IssueAttemptId } from "../schedule/attempts/attemptids.js";
import type { Attempt, Event, Failure, Instruction } from "../schedule/events.js";
import { expectedRates } from "../schedule/rates/expectedrates.js";
import type { LearnedRates } from "../schedule/rates/rates.js";
import { Scheduler } from "../schedule/scheduler.js";
import { toCommand } from "./agent/commands.js";
import { type AgentMessage, type DoneMessage, decodeSplit, decodeUnit } from "./agent/protocol.js";
import { markEarlierLeftovers } from "./cleanleftovers.js";
import { failpoint } from "./failpoint.js";
import { createFailure, errorText, failureFromDone, isConnectionLost } from "./node/attemptfailure.js";
import { type NodeListener, NodeWorker } from "./node/nodeworker.js";
import { SlotEvents } from "./node/slotevents.js";
import { RunCounters } from "./record/counters.js";
import { EventLog } from "./record/eventlog.js";
import type { RunDirectory } from "./record/rundir.js";
import { Collector, type CollectorListener } from "./results/collector.js";
import { Committer } from "./results/committer.js";
import type { ResultSource } from "./results/pulloutputs.js";
import type { Rechecks } from "./results/rechecks.js";
import { ResultFetcher } from "./results/resultfetcher.js";
import type { RunContext } from "./runcontext.js";
import { leavesAgentsRunning, type RunEnd } from "./runend.js";
import type { RunObserver } from "./runobserver.js";
import { monotonicSeconds, WakeUpTimer } from "./timer.js";

/** Seconds that results on their way here are waited for when the nodes keep them anyway. */
const COLLECT_TIMEOUT_SECONDS = 3;

/**
 * Performs what the scheduler decides for one run: starts attempts, takes their results in, commits them, and tells it what
 * happened. All that it keeps in memory are the chunks under way and counts.
 */
export class Coordinator implements NodeListener, CollectorListener {
  readonly workers: NodeWorker[];
  readonly counters: RunCounters;
  private readonly eventLog: EventLog;
  private readonly scheduler: Scheduler;
  private readonly committer: Committer;
  private readonly workersByName = new Map<string, NodeWorker>();
  private readonly intake: ResultFetcher;
  private readonly slots: SlotEvents;
  private readonly landing: Collector;
  private readonly wakeUpTimer = new WakeUpTimer(() => this.event({ type: "tick" }));
  private ended: RunEnd | undefined;
  private isJoining = true;
  private resolveEnd: (ended: RunEnd) => void = () => {};

  constructor(
    job: Job,
    nodes: Node[],
    private readonly directory: RunDirectory,
    run: RunContext,
    private readonly observer: RunObserver,
    learned: LearnedRates,
    private readonly rechecks: Rechecks,
  ) {
    this.intake = new ResultFetcher(directory.path, job);
    this.eventLog = new EventLog(directory);
    this.counters = new RunCounters(job, directory.replay, (node, slot, out) =>
      this.eventLog.recordSlotState(node, slot, out),
    );
    this.slots = new SlotEvents(observer, this.counters, (event) => this.news(event));
    const expected = expectedRates(job, nodes, learned);
    const issueId: IssueAttemptId = (node, chunk) => directory.ids.issue(node, chunk);
    this.scheduler = new Scheduler(job, directory.replay.committedUnits, issueId, expected, learned, rechecks.pending);
    this.workers = nodes.map((node) => new NodeWorker(node, job, run, directory.ids, this));
    for (const member of this.workers) this.workersByName.set(member.node.name, member);
    markEarlierLeftovers(this.workers, directory.replay.leftovers);
    const { path, journal, replay: past, elapsed } = directory;
    this.committer = new Committer(
      { path, partial: this.intake.partialFolder, journal, job, past, elapsed },
      (attempts) => this.committed(attempts),
      (error) => this.end({ state: "broken", error }),
      () => this.scheduler.inFlightCount,
    );
    const { intake, committer, counters: tally } = this;
    this.landing = new Collector(this, { intake, canary: rechecks, committer, tally, observer });
  }

  /** Runs the job to its end, or until `stop` fires; the journal and all results are on disk when it resolves. Then `leave`. */
  async work(stop: AbortSignal): Promise<RunEnd> {
    const ended = new Promise<RunEnd>((resolve) => {
      this.resolveEnd = resolve;
    });
    const interrupt = () => this.end({ state: "interrupted" });
    stop.addEventListener("abort", interrupt);
    if (stop.aborted) interrupt();
    // On a run that goes on, all nodes are heard first: one may hold what another would be given.
    const first = this.directory.session === 1;
    if (first) this.event({ type: "dispatchOpened" });
    void Promise.all(this.workers.map((member) => member.join())).then(() => {
      this.isJoining = false;
      if (!first) this.event({ type: "dispatchOpened" });
      this.event({ type: "allJoined" });
      this.endIfStranded();
    });
    const outcome = await ended;
    stop.removeEventListener("abort", interrupt);
    this.wakeUpTimer.stop();
    this.slots.stop();
    // A node that hangs keeps nobody from leaving: what is not here yet is told again by its agent.
    const leave = () => this.workers.map((member) => member.detach());
    const patience = leavesAgentsRunning(outcome) ? setTimeout(leave, COLLECT_TIMEOUT_SECONDS * 1000) : undefined;
    await this.landing.settle();
    clearTimeout(patience);
    await this.committer.settle();
    this.committer.close();
    this.intake.close();
    return outcome;
  }

  /** Lets go of the nodes: they keep what they have for the next coordinator, or nothing of the run stays there. */
  async leave(outcome: RunEnd): Promise<void> {
    await Promise.all(this.workers.map((member) => (leavesAgentsRunning(outcome) ? member.detach() : member.stop())));
  }

  /** What is known now of how fast slots are at this kind of work. */
  learnedRates(): LearnedRates {
    return this.scheduler.learned();
  }

  event(event: Event): void {
    this.perform(this.scheduler.handle(event, monotonicSeconds()));
  }

  private news(event: Event): void {
    if (this.ended !== undefined) return;
    this.event(event);
    this.endIfStranded();
  }

  changed(member: NodeWorker): void {
    this.eventLog.recordNodeState(member);
    this.observer.nodeChanged(member);
    if (member.state === "live") this.slots.attached(member);
    if (member.error?.code === "SUPERSEDED") this.end({ state: "superseded", error: member.error });
    if (member.state !== "live") this.endIfStranded();
  }

  message(member: NodeWorker, message: AgentMessage): void {
    const fault = this.findViolation(member, message);
    if (fault !== undefined) return member.refuseForViolation(fault);
    if (message.ev === "problem") return this.observer.nodeWarning(member, message.message);
    if (this.ended !== undefined) return;
    switch (message.ev) {
      case "done":
        failpoint("done");
        return this.done(member, message);
      case "started":
        failpoint("started");
        return this.event({ type: "started", attempt: message.id });
      case "slot":
      case "broken":
      case "looked":
      case "cards":
      case "memory":
        return this.slots.heard(member, message);
      case "split":
        return this.event({ type: "split", ...decodeSplit(message) });
      case "hello":
      case "held":
      case "refused":
      case "bye":
      case "pong":
        return;
    }
  }

  /** What is wrong with a message that is well formed: it speaks of what is not its node's, or there are too many of its kind. */
  private findViolation(member: NodeWorker, message: AgentMessage): string | undefined {
    const node = member.node.name;
    const attempt = "id" in message ? this.scheduler.attempt(message.id) : undefined;
    if (attempt === undefined)
      return member.rateLimiter.tryAcquire(monotonicSeconds())
        ? undefined
        : "it sends too many messages that nobody asked for";
    if (attempt.node !== node) return `it speaks of attempt ${attempt.id} of another node`;
    if (message.ev !== "done") return undefined;
    const isRight = message.slot === attempt.slot && this.directory.ids.isGenuine(message.id, node, message.chunk);
    return isRight
      ? undefined
      : `it says that attempt ${attempt.id} was chunk ${message.chunk} on slot ${message.slot}`;
  }

  unstartable(attempt: Attempt, error: unknown, origin: ResultSource): void {
    if (isConnectionLost(error)) {
      this.workersByName.get(attempt.node)?.reportConnectionError(origin, error);
      return this.event({ type: "requeued", attempt: attempt.id });
    }
    this.fail(attempt, createFailure(attempt, `its files could not be staged: ${errorText(error)}`));
  }

  done(member: NodeWorker, done: DoneMessage): void {
    const attempt = this.scheduler.attempt(done.id);
    if (attempt === undefined) return member.send({ op: "ack", ids: [done.id] });
    if (!this.scheduler.isRunning(done.id)) return;
    if (done.canceled || done.lost) {
      member.send({ op: "ack", ids: [done.id] });
      return this.event({ type: "requeued", attempt: attempt.id });
    }
    const failed = failureFromDone(attempt, done, attempt.chunk.spec.timeout);
    if (failed === undefined) {
      this.event({ type: "finished", attempt: attempt.id, seconds: done.seconds, end: decodeUnit(done.end) });
      // The event may have replaced the attempt: a split shortens its chunk.
      this.landing.succeeded(member, this.scheduler.attempt(done.id) ?? attempt, done);
    } else this.landing.failed(member, attempt, done, failed);
  }

  fail(attempt: Attempt, failed: Failure): void {
    if (this.scheduler.attempt(attempt.id) === undefined) return;
    this.workersByName.get(attempt.node)?.send({ op: "ack", ids: [attempt.id] });
    this.slots.failed(this.workersByName.get(attempt.node));
    this.reportFailed(failed);
    this.event({ type: "failed", attempt: attempt.id, failure: failed });
  }

  private reportFailed(failed: Failure): void {
    this.counters.countFailedAttempt(failed);
    this.eventLog.recordFailedAttempt(failed);
    this.observer.attemptFailed(failed);
  }

  private committed(attempts: Attempt[]): void {
    for (const attempt of attempts) {
      this.counters.countCommitted(attempt);
      this.event({ type: "committed", attempt: attempt.id });
    }
    for (const member of this.workers) {
      const ids = attempts.filter((attempt) => attempt.node === member.node.name).map((attempt) => attempt.id);
      if (ids.length > 0) member.send({ op: "ack", ids });
    }
    this.observer.chunksCommitted();
  }

  private perform(instructions: Instruction[]): void {
    for (const instruction of instructions) {
      if (this.ended !== undefined) return;
      switch (instruction.do) {
        case "start":
          this.counters.countStarted();
          this.workersByName.get(instruction.attempt.node)?.start(instruction.attempt);
          break;
        case "drop":
          this.counters.dropped++;
          this.workersByName.get(instruction.node)?.send({ op: "cancel", ids: [instruction.id] });
          break;
        case "withdraw":
        case "evict":
        case "split":
          this.workersByName.get(instruction.node)?.send(toCommand(instruction));
          break;
        case "quarantine":
        case "release":
          this.slots.judged(this.workersByName.get(instruction.node)!, instruction);
          break;
        case "stuck":
          this.observer.notice(
            `nothing can run now:${instruction.reasons.map((reason) => `\n    ${reason}`).join("")}`,
          );
          break;
        case "report-loss":
          this.reportFailed(instruction.failure);
          break;
        case "give-up":
          this.failChunk(instruction.failure);
          break;
        case "skip-recheck":
          this.skipRecheck(instruction.failure);
          break;
        case "wake":
          this.wakeUpTimer.wakeAt(instruction.at);
          break;
        case "end":
          this.end({ state: this.counters.isFullySuccessful ? "complete" : "partial" });
      }
    }
  }

  /** Said once: what keeps one chunk from being computed again mostly keeps all. */
  private skipRecheck(failed: Failure): void {
    this.rechecks.recordSkipped(failed, this.counters);
    if (this.counters.skippedRechecks === 1)
      this.observer.notice(`canary: chunk ${failed.chunk} is not computed again: ${failed.reason}`);
  }

  private failChunk(failed: Failure): void {
    this.directory.journal.add({ e: "failed", failure: failed });
    this.counters.countFailedChunk(failed);
    this.observer.chunkFailed(failed);
  }

  /** Nobody is left, and nobody is expected back within the time that a silent node is waited for. */
  private endIfStranded(): void {
    if (!this.isJoining && this.workers.every((member) => this.slots.isHopeless(member)))
      this.end({ state: "stranded" });
  }

  end(ended: RunEnd): void {
    if (this.ended !== undefined) return;
    this.ended = ended;
    this.resolveEnd(ended);
  }
}

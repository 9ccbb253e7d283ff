import type { Node } from "../../fleet/node.js";
import type { Job } from "../job/job.js";
import type { IssueAttemptId } from "../schedule/attempts/attemptids.js";
import type { Attempt, Event, Failure, Instruction } from "../schedule/events.js";
import { expectedRates } from "../schedule/rates/expectedrates.js";
import type { LearnedRates } from "../schedule/rates/rates.js";
import { Scheduler } from "../schedule/scheduler.js";
import { toCommand } from "./agent/commands.js";
import { type AgentMessage, type DoneMessage, decodeSplit, decodeUnit } from "./agent/protocol.js";
import { Alarm, clock } from "./alarm.js";
import { recallLeftovers } from "./cleaning.js";
import type { RunContext } from "./context.js";
import { type Ended, keepsNodes } from "./ended.js";
import { killPoint } from "./killpoint.js";
import { failure, failureOf, isLost, textOf } from "./node/failure.js";
import { type Hub, Member } from "./node/member.js";
import { SlotNews } from "./node/slotnews.js";
import type { Observer } from "./observer.js";
import { Chronicle } from "./record/chronicle.js";
import type { RunDirectory } from "./record/rundir.js";
import { Tally } from "./record/tally.js";
import type { Canary } from "./results/canary.js";
import { Committer } from "./results/commit.js";
import { Intake } from "./results/intake.js";
import { Landing, type Tower } from "./results/landing.js";
import type { Origin } from "./results/pull.js";

/** Seconds that results on their way here are waited for when the nodes keep them anyway. */
const LANDING = 3;

/**
 * Performs what the scheduler decides for one run: starts attempts, takes their results in, commits them, and tells it what
 * happened. All that it keeps in memory are the chunks under way and counts.
 */
export class Coordinator implements Hub, Tower {
  readonly members: Member[];
  readonly tally: Tally;
  private readonly chronicle: Chronicle;
  private readonly scheduler: Scheduler;
  private readonly committer: Committer;
  private readonly byName = new Map<string, Member>();
  private readonly intake: Intake;
  private readonly slots: SlotNews;
  private readonly landing: Landing;
  private readonly alarm = new Alarm(() => this.event({ type: "tick" }));
  private ended: Ended | undefined;
  private joining = true;
  private finish: (ended: Ended) => void = () => {};

  constructor(
    job: Job,
    nodes: Node[],
    private readonly directory: RunDirectory,
    run: RunContext,
    private readonly observer: Observer,
    learned: LearnedRates,
    private readonly canary: Canary,
  ) {
    this.intake = new Intake(directory.path, job);
    this.chronicle = new Chronicle(directory);
    this.tally = new Tally(job, directory.past, (node, slot, out) => this.chronicle.slot(node, slot, out));
    this.slots = new SlotNews(observer, this.tally, (event) => this.news(event));
    const expected = expectedRates(job, nodes, learned);
    const issueId: IssueAttemptId = (node, chunk) => directory.ids.issue(node, chunk);
    this.scheduler = new Scheduler(job, directory.past.done, issueId, expected, learned, canary.waiting);
    this.members = nodes.map((node) => new Member(node, job, run, directory.ids, this));
    for (const member of this.members) this.byName.set(member.node.name, member);
    recallLeftovers(this.members, directory.past.leftovers.list);
    const { path, journal, past, elapsed } = directory;
    this.committer = new Committer(
      { path, partial: this.intake.partial, journal, job, past, elapsed },
      (attempts) => this.committed(attempts),
      (error) => this.end({ state: "broken", error }),
      () => this.scheduler.inFlightCount,
    );
    const { intake, committer, tally } = this;
    this.landing = new Landing(this, { intake, canary, committer, tally, observer });
  }

  /** Runs the job to its end, or until `stop` fires; the journal and all results are on disk when it resolves. Then `leave`. */
  async work(stop: AbortSignal): Promise<Ended> {
    const ended = new Promise<Ended>((resolve) => {
      this.finish = resolve;
    });
    const interrupt = () => this.end({ state: "interrupted" });
    stop.addEventListener("abort", interrupt);
    if (stop.aborted) interrupt();
    // On a run that goes on, all nodes are heard first: one may hold what another would be given.
    const first = this.directory.session === 1;
    if (first) this.event({ type: "dispatchOpened" });
    void Promise.all(this.members.map((member) => member.join())).then(() => {
      this.joining = false;
      if (!first) this.event({ type: "dispatchOpened" });
      this.event({ type: "allJoined" });
      this.checkStranded();
    });
    const outcome = await ended;
    stop.removeEventListener("abort", interrupt);
    this.alarm.stop();
    this.slots.stop();
    // A node that hangs keeps nobody from leaving: what is not here yet is told again by its agent.
    const leave = () => this.members.map((member) => member.leave());
    const patience = keepsNodes(outcome) ? setTimeout(leave, LANDING * 1000) : undefined;
    await this.landing.settle();
    clearTimeout(patience);
    await this.committer.settle();
    this.committer.close();
    this.intake.close();
    return outcome;
  }

  /** Lets go of the nodes: they keep what they have for the next coordinator, or nothing of the run stays there. */
  async leave(outcome: Ended): Promise<void> {
    await Promise.all(this.members.map((member) => (keepsNodes(outcome) ? member.leave() : member.stop())));
  }

  /** What is known now of how fast slots are at this kind of work. */
  learned(): LearnedRates {
    return this.scheduler.learned();
  }

  event(event: Event): void {
    this.perform(this.scheduler.handle(event, clock()));
  }

  private news(event: Event): void {
    if (this.ended !== undefined) return;
    this.event(event);
    this.checkStranded();
  }

  changed(member: Member): void {
    this.chronicle.node(member);
    this.observer.node(member);
    if (member.state === "live") this.slots.attached(member);
    if (member.error?.code === "SUPERSEDED") this.end({ state: "superseded", error: member.error });
    if (member.state !== "live") this.checkStranded();
  }

  message(member: Member, message: AgentMessage): void {
    const fault = this.faultIn(member, message);
    if (fault !== undefined) return member.misbehaved(fault);
    if (message.ev === "problem") return this.observer.problem(member, message.message);
    if (this.ended !== undefined) return;
    switch (message.ev) {
      case "done":
        killPoint("done");
        return this.done(member, message);
      case "started":
        killPoint("started");
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
  private faultIn(member: Member, message: AgentMessage): string | undefined {
    const node = member.node.name;
    const attempt = "id" in message ? this.scheduler.attempt(message.id) : undefined;
    if (attempt === undefined)
      return member.budget.tryAcquire(clock()) ? undefined : "it sends too many messages that nobody asked for";
    if (attempt.node !== node) return `it speaks of attempt ${attempt.id} of another node`;
    if (message.ev !== "done") return undefined;
    const isRight = message.slot === attempt.slot && this.directory.ids.isGenuine(message.id, node, message.chunk);
    return isRight
      ? undefined
      : `it says that attempt ${attempt.id} was chunk ${message.chunk} on slot ${message.slot}`;
  }

  unstartable(attempt: Attempt, error: unknown, origin: Origin): void {
    if (isLost(error)) {
      this.byName.get(attempt.node)?.suspect(origin, error);
      return this.event({ type: "requeued", attempt: attempt.id });
    }
    this.fail(attempt, failure(attempt, `its files could not be staged: ${textOf(error)}`));
  }

  done(member: Member, done: DoneMessage): void {
    const attempt = this.scheduler.attempt(done.id);
    if (attempt === undefined) return member.send({ op: "ack", ids: [done.id] });
    if (!this.scheduler.isRunning(done.id)) return;
    if (done.canceled || done.lost) {
      member.send({ op: "ack", ids: [done.id] });
      return this.event({ type: "requeued", attempt: attempt.id });
    }
    const failed = failureOf(attempt, done, attempt.chunk.spec.timeout);
    if (failed === undefined) {
      this.event({ type: "finished", attempt: attempt.id, seconds: done.seconds, end: decodeUnit(done.end) });
      // The event may have replaced the attempt: a split shortens its chunk.
      this.landing.succeeded(member, this.scheduler.attempt(done.id) ?? attempt, done);
    } else this.landing.failed(member, attempt, done, failed);
  }

  fail(attempt: Attempt, failed: Failure): void {
    if (this.scheduler.attempt(attempt.id) === undefined) return;
    this.byName.get(attempt.node)?.send({ op: "ack", ids: [attempt.id] });
    this.slots.failed(this.byName.get(attempt.node));
    this.reportFailed(failed);
    this.event({ type: "failed", attempt: attempt.id, failure: failed });
  }

  private reportFailed(failed: Failure): void {
    this.tally.failedAttempt(failed);
    this.chronicle.tried(failed);
    this.observer.failedAttempt(failed);
  }

  private committed(attempts: Attempt[]): void {
    for (const attempt of attempts) {
      this.tally.committed(attempt);
      this.event({ type: "committed", attempt: attempt.id });
    }
    for (const member of this.members) {
      const ids = attempts.filter((attempt) => attempt.node === member.node.name).map((attempt) => attempt.id);
      if (ids.length > 0) member.send({ op: "ack", ids });
    }
    this.observer.progress();
  }

  private perform(instructions: Instruction[]): void {
    for (const instruction of instructions) {
      if (this.ended !== undefined) return;
      switch (instruction.do) {
        case "start":
          this.tally.started();
          this.byName.get(instruction.attempt.node)?.start(instruction.attempt);
          break;
        case "drop":
          this.tally.dropped++;
          this.byName.get(instruction.node)?.send({ op: "cancel", ids: [instruction.id] });
          break;
        case "withdraw":
        case "evict":
        case "split":
          this.byName.get(instruction.node)?.send(toCommand(instruction));
          break;
        case "quarantine":
        case "release":
          this.slots.judged(this.byName.get(instruction.node)!, instruction);
          break;
        case "stuck":
          this.observer.note(`nothing can run now:${instruction.reasons.map((reason) => `\n    ${reason}`).join("")}`);
          break;
        case "report-loss":
          this.reportFailed(instruction.failure);
          break;
        case "give-up":
          this.giveUp(instruction.failure);
          break;
        case "skip-recheck":
          this.unchecked(instruction.failure);
          break;
        case "wake":
          this.alarm.at(instruction.at);
          break;
        case "end":
          this.end({ state: this.tally.isWhole ? "complete" : "partial" });
      }
    }
  }

  /** Said once: what keeps one chunk from being computed again mostly keeps all. */
  private unchecked(failed: Failure): void {
    this.canary.unchecked(failed, this.tally);
    if (this.tally.unchecked === 1)
      this.observer.note(`canary: chunk ${failed.chunk} is not computed again: ${failed.reason}`);
  }

  private giveUp(failed: Failure): void {
    this.directory.journal.add({ e: "failed", failure: failed });
    this.tally.gaveUp(failed);
    this.observer.gaveUp(failed);
  }

  /** Nobody is left, and nobody is expected back within the time that a silent node is waited for. */
  private checkStranded(): void {
    if (!this.joining && this.members.every((member) => this.slots.isHopeless(member))) this.end({ state: "stranded" });
  }

  end(ended: Ended): void {
    if (this.ended !== undefined) return;
    this.ended = ended;
    this.finish(ended);
  }
}

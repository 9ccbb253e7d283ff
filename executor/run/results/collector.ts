import type { Attempt, Event, Failure } from "../../schedule/events.js";
import type { DoneMessage } from "../agent/protocol.js";
import type { ResultSource } from "../node/attachment.js";
import { createFailure, errorText, isConnectionLost, isLocalError } from "../node/attemptfailure.js";
import type { NodeWorker } from "../node/nodeworker.js";
import type { RunCounters } from "../record/counters.js";
import type { RunEnd } from "../runend.js";
import type { RunObserver } from "../runobserver.js";
import type { Committer } from "./committer.js";
import type { VerifiedOutput } from "./publish.js";
import { deletePulled } from "./pulloutputs.js";
import type { Rechecks } from "./rechecks.js";
import type { ResultFetcher } from "./resultfetcher.js";

/** Whom a landing tells what came of it. */
export interface CollectorListener {
  event(event: Event): void;
  /** Its node says (again) that an attempt has ended. */
  done(member: NodeWorker, done: DoneMessage): void;
  fail(attempt: Attempt, failed: Failure): void;
  end(ended: RunEnd): void;
}

/** What becomes of attempts that have ended on their nodes: outputs and logs come here, and go to be committed or compared. */
export class Collector {
  private readonly inFlight = new Set<Promise<void>>();

  constructor(
    private readonly tower: CollectorListener,
    private readonly parts: {
      intake: ResultFetcher;
      canary: Rechecks;
      committer: Committer;
      tally: RunCounters;
      observer: RunObserver;
    },
  ) {}

  /** Takes in what a successful attempt has made. */
  succeeded(member: NodeWorker, attempt: Attempt, done: DoneMessage): void {
    this.remember(this.collect(member, attempt, done));
  }

  /** Takes in what a failed attempt has printed, and has it counted as failed then. */
  failed(member: NodeWorker, attempt: Attempt, done: DoneMessage, failed: Failure): void {
    this.remember(this.collectFailed(member, attempt, done, failed));
  }

  /** Resolves when nothing is on its way here. */
  async settle(): Promise<void> {
    await Promise.all(this.inFlight);
  }

  private remember(landing: Promise<void>): void {
    this.inFlight.add(landing);
    void landing.finally(() => this.inFlight.delete(landing));
  }

  private async collect(member: NodeWorker, attempt: Attempt, done: DoneMessage): Promise<void> {
    const { intake, canary, committer, tally } = this.parts;
    const { resultSource: origin } = member;
    if (origin === undefined) return this.tower.event({ type: "collectFailed", attempt: attempt.id });
    try {
      const { fetchOutputs: outputs, json } = await intake.fetchOutputs(attempt, done, origin);
      tally.countLogs(done);
      if (attempt.chunk.firstResult !== undefined) return await this.compare(member, attempt, outputs);
      const landed = { attempt, seconds: done.seconds, outputs, fingerprint: member.fingerprint, json };
      if (!committer.add(landed)) return this.drop(member, attempt, outputs);
      canary.recordFirst(landed);
    } catch (error) {
      if (isConnectionLost(error)) this.uncollected(member, attempt, done, origin, error);
      else if (isLocalError(error)) this.tower.end({ state: "broken", error });
      else this.tower.fail(attempt, createFailure(attempt, errorText(error), done));
    }
  }

  /** A result of units that are committed already is not taken. */
  private drop(member: NodeWorker, attempt: Attempt, outputs: VerifiedOutput[]): void {
    deletePulled(outputs);
    this.parts.tally.dropped++;
    member.send({ op: "ack", ids: [attempt.id] });
    this.tower.event({ type: "committed", attempt: attempt.id });
  }

  private async compare(member: NodeWorker, attempt: Attempt, outputs: VerifiedOutput[]): Promise<void> {
    const { canary, tally, observer } = this.parts;
    const differing = await canary.compare(attempt, outputs, tally);
    if (differing !== undefined) observer.recheckDiffered(differing);
    member.send({ op: "ack", ids: [attempt.id] });
    this.tower.event({ type: "committed", attempt: attempt.id });
  }

  private async collectFailed(member: NodeWorker, attempt: Attempt, done: DoneMessage, failed: Failure): Promise<void> {
    const { resultSource: origin } = member;
    if (origin === undefined) return;
    try {
      await this.parts.intake.fetchLogs(attempt, done, origin);
      this.parts.tally.countLogs(done);
    } catch (error) {
      if (isLocalError(error)) return this.tower.end({ state: "broken", error });
      if (isConnectionLost(error)) return this.uncollected(member, attempt, done, origin, error);
      this.parts.observer.nodeWarning(member, `logs of chunk ${attempt.chunk.id} are lost: ${errorText(error)}`);
    }
    this.tower.fail(attempt, failed);
  }

  /** The node tells it again when it is back; where it is back already, it has told it while this was failing. */
  private uncollected(
    member: NodeWorker,
    attempt: Attempt,
    done: DoneMessage,
    origin: ResultSource,
    error: Error,
  ): void {
    this.tower.event({ type: "collectFailed", attempt: attempt.id });
    member.reportConnectionError(origin, error);
    if (member.resultSource !== undefined) this.tower.done(member, done);
    else if (member.state !== "silent") this.tower.event({ type: "requeued", attempt: attempt.id });
  }
}

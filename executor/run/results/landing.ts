import type { Attempt, Event, Failure } from "../../schedule/events.js";
import type { DoneMessage } from "../agent/protocol.js";
import type { Ended } from "../ended.js";
import { failure, isLost, isOurs, textOf } from "../node/failure.js";
import type { Member } from "../node/member.js";
import type { Observer } from "../observer.js";
import type { Tally } from "../record/tally.js";
import type { Canary } from "./canary.js";
import type { Committer } from "./commit.js";
import type { Intake } from "./intake.js";
import type { Verified } from "./publish.js";
import { discard, type Origin } from "./pull.js";

/** Whom a landing tells what came of it. */
export interface Tower {
  event(event: Event): void;
  /** Its node says (again) that an attempt has ended. */
  done(member: Member, done: DoneMessage): void;
  fail(attempt: Attempt, failed: Failure): void;
  end(ended: Ended): void;
}

/** What becomes of attempts that have ended on their nodes: outputs and logs come here, and go to be committed or compared. */
export class Landing {
  private readonly underway = new Set<Promise<void>>();

  constructor(
    private readonly tower: Tower,
    private readonly parts: { intake: Intake; canary: Canary; committer: Committer; tally: Tally; observer: Observer },
  ) {}

  /** Takes in what a successful attempt has made. */
  succeeded(member: Member, attempt: Attempt, done: DoneMessage): void {
    this.remember(this.collect(member, attempt, done));
  }

  /** Takes in what a failed attempt has printed, and has it counted as failed then. */
  failed(member: Member, attempt: Attempt, done: DoneMessage, failed: Failure): void {
    this.remember(this.collectFailed(member, attempt, done, failed));
  }

  /** Resolves when nothing is on its way here. */
  async settle(): Promise<void> {
    await Promise.all(this.underway);
  }

  private remember(landing: Promise<void>): void {
    this.underway.add(landing);
    void landing.finally(() => this.underway.delete(landing));
  }

  private async collect(member: Member, attempt: Attempt, done: DoneMessage): Promise<void> {
    const { intake, canary, committer, tally } = this.parts;
    const { origin } = member;
    if (origin === undefined) return this.tower.event({ type: "collectFailed", attempt: attempt.id });
    try {
      const { outputs, json } = await intake.outputs(attempt, done, origin);
      tally.logged(done);
      if (attempt.chunk.firstResult !== undefined) return await this.compare(member, attempt, outputs);
      const landed = { attempt, seconds: done.seconds, outputs, fingerprint: member.fingerprint, json };
      if (!committer.add(landed)) return this.drop(member, attempt, outputs);
      canary.landed(landed);
    } catch (error) {
      if (isLost(error)) this.uncollected(member, attempt, done, origin, error);
      else if (isOurs(error)) this.tower.end({ state: "broken", error });
      else this.tower.fail(attempt, failure(attempt, textOf(error), done));
    }
  }

  /** A result of units that are committed already is not taken. */
  private drop(member: Member, attempt: Attempt, outputs: Verified[]): void {
    discard(outputs);
    this.parts.tally.dropped++;
    member.send({ op: "ack", ids: [attempt.id] });
    this.tower.event({ type: "committed", attempt: attempt.id });
  }

  private async compare(member: Member, attempt: Attempt, outputs: Verified[]): Promise<void> {
    const { canary, tally, observer } = this.parts;
    const differing = await canary.compare(attempt, outputs, tally);
    if (differing !== undefined) observer.differs(differing);
    member.send({ op: "ack", ids: [attempt.id] });
    this.tower.event({ type: "committed", attempt: attempt.id });
  }

  private async collectFailed(member: Member, attempt: Attempt, done: DoneMessage, failed: Failure): Promise<void> {
    const { origin } = member;
    if (origin === undefined) return;
    try {
      await this.parts.intake.keepLogs(attempt, done, origin);
      this.parts.tally.logged(done);
    } catch (error) {
      if (isOurs(error)) return this.tower.end({ state: "broken", error });
      if (isLost(error)) return this.uncollected(member, attempt, done, origin, error);
      this.parts.observer.problem(member, `logs of chunk ${attempt.chunk.id} are lost: ${textOf(error)}`);
    }
    this.tower.fail(attempt, failed);
  }

  /** The node tells it again when it is back; where it is back already, it has told it while this was failing. */
  private uncollected(member: Member, attempt: Attempt, done: DoneMessage, origin: Origin, error: Error): void {
    this.tower.event({ type: "collectFailed", attempt: attempt.id });
    member.suspect(origin, error);
    if (member.origin !== undefined) this.tower.done(member, done);
    else if (member.state !== "silent") this.tower.event({ type: "requeued", attempt: attempt.id });
  }
}

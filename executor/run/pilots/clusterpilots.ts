import type { AllocationEnd, AllocationState, Engine } from "../../../fleet/engine.js";
import type { Cluster } from "../../../fleet/slurm/cluster.js";
import { createNeverStartsError, isNeverStarted, SlurmError } from "../../../fleet/slurm/slurmerror.js";
import { MusterError } from "../../../schemas/errors.js";
import { failpoint } from "../failpoint.js";
import type { OpenPilot } from "../record/openpilots.js";
import { monotonicSeconds } from "../timer.js";
import { pauseAfterFailures, pauseAfterRefusal, pauseBeforeLook } from "./decidepilots.js";
import { createPilot, drawToken, formatJobName, isOverdue, type Pilot, parseJobName } from "./pilot.js";
import { PilotFailures } from "./pilotfailures.js";
import type { PilotRecords } from "./pilotrecords.js";

/** How long a pilot may be ending before its chunks go to others. */
const ENDING_SECONDS = 45;
/** A cluster that has never answered for so long is not waited for. */
const FIRST_ANSWER_SECONDS = 600;
/** A submission whose reply was lost may take so long to be seen. */
const UNSEEN_SECONDS = 120;

/** What happens to the pilots of a cluster. */
export type PilotEvent =
  | { type: "started"; pilot: Pilot; secondsLeft: number | undefined }
  /** `hasFailed`: before it could work, as far as the cluster knows. */
  | { type: "over"; pilot: Pilot; end: AllocationEnd; hasFailed: boolean }
  | { type: "notice"; message: string }
  /** No further pilots will come: the cluster refuses them, or none can work. */
  | { type: "unusable"; error: MusterError };

/** The pilots of one cluster: submits them, and follows what the cluster says of them. Nothing here knows what they compute. */
export class ClusterPilots {
  readonly pilots = new Map<string, Pilot>();
  /** Submissions without a reply that no look has found, by token: a login node that hangs may make them later all the same. */
  readonly unseen = new Map<string, Pilot>();
  /** Why no pilot can work; undefined = one may. */
  problem: MusterError | undefined;
  private nextLookAt = 0;
  private looks = 0;
  private pausedUntil = 0;
  private readonly failures = new PilotFailures();
  private isUnanswered = false;
  /** Since when the cluster was asked for its first answer, in monotonic seconds; undefined = it has not been asked. */
  private firstAskedAt: number | undefined;
  private hasAnswered = false;
  /** How often in a row the cluster has refused a pilot since it accepted one; undefined = it has accepted none. */
  private refusals: number | undefined;
  private isRefusalNoticed = false;

  constructor(
    readonly cluster: Cluster,
    private readonly engine: Engine,
    /** All ids that the run ever had; the last one is its present one. */
    private readonly runIds: readonly string[],
    private readonly records: PilotRecords,
    private readonly emit: (event: PilotEvent) => void,
  ) {}

  /** Takes over a pilot of an earlier session. */
  adopt({ token, id, beganAtMs }: OpenPilot): void {
    const state = id === undefined ? "submitting" : "pending";
    this.pilots.set(token, { ...createPilot(token), id, beganAtMs, isEarlier: true, state });
  }

  get canSubmit(): boolean {
    return this.problem === undefined && monotonicSeconds() >= this.pausedUntil;
  }

  get unstarted(): number {
    return [...this.pilots.values()].filter(({ state, isReleased }) => state !== "working" && !isReleased).length;
  }

  /** Makes the next look soon: something may have happened to a pilot. */
  lookSoon(): void {
    this.looks = 0;
    this.nextLookAt = Math.min(this.nextLookAt, monotonicSeconds() + pauseBeforeLook(0));
  }

  /** Notes that the agent of a pilot has been attached: it can work. */
  markWorking(pilot: Pilot): void {
    pilot.state = "working";
    if (this.failures.areTooMany) this.problem = undefined;
    this.failures.reset();
  }

  /** Submits so many pilots, one after another, until `stop` fires. */
  async submit(count: number, stop?: AbortSignal): Promise<void> {
    const pilots = Array.from({ length: count }, () => createPilot(drawToken()));
    await this.records.recordSubmissions(this.cluster.name, pilots);
    failpoint("pilot-journaled");
    for (const pilot of pilots) this.pilots.set(pilot.token, pilot);
    const ids: string[] = [];
    let isGoingOn = true;
    for (const pilot of pilots) {
      isGoingOn &&= stop?.aborted !== true;
      if (isGoingOn) isGoingOn = (await this.submitOne(pilot)) === undefined;
      else this.forget(pilot, "it was not submitted");
      if (pilot.id !== undefined) ids.push(pilot.id);
    }
    if (ids.length > 0) this.notice(`${ids.length === 1 ? "pilot" : "pilots"} ${ids.join(", ")} submitted`);
    if (ids.length === this.pilots.size) this.nextLookAt = Infinity; // none of them runs yet
    this.lookSoon();
  }

  /** Looks at the queue where that is due. Does not reject for errors of the cluster. */
  async lookIfDue(): Promise<void> {
    const now = monotonicSeconds();
    if (this.pilots.size === 0 || now < this.nextLookAt) return;
    this.nextLookAt = now + pauseBeforeLook(++this.looks);
    await this.look();
  }

  /** Looks at the queue now. Returns whether the cluster has answered. */
  async look(): Promise<boolean> {
    const askedAt = monotonicSeconds();
    let states: ReadonlyMap<string, AllocationState>;
    try {
      states = await this.engine.list();
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      this.handleUnanswered(error);
      return false;
    }
    this.isUnanswered = false;
    this.hasAnswered = true;
    await this.findUnknown(states);
    for (const pilot of [...this.pilots.values()]) await this.update(pilot, states.get(pilot.id ?? ""), askedAt);
    await this.cancelReleased(states);
    return true;
  }

  /** Ends pilots. Resolves when the cluster has been told; rejects as the engine does. */
  async cancel(pilots: readonly Pilot[]): Promise<void> {
    const ids = pilots.flatMap(({ id }) => (id === undefined ? [] : [id]));
    for (const pilot of pilots) pilot.isReleased = true;
    if (ids.length > 0) await this.engine.cancel(ids);
    this.lookSoon();
  }

  /** Counts a pilot that could not work, and says so. `host`: where it ran; undefined = it is not known. */
  recordFailure({ id, submittedAt }: Pilot, reason: string, host: string | undefined): void {
    const now = monotonicSeconds();
    const { message, pauseSeconds } = this.failures.add({ id, submittedAt, host, reason }, now);
    this.pausedUntil = Math.max(this.pausedUntil, now + pauseSeconds);
    this.notice(message);
    if (!this.failures.areTooMany) return;
    const next = `Correct what the reason says; muster doctor ${this.cluster.name} --submit tries one pilot.`;
    this.fail(new MusterError("SLURM", this.failures.describeSeries(reason), { node: this.cluster.name, next }));
  }

  /** Returns the error of a submission that failed; undefined = it succeeded. */
  private async submitOne(pilot: Pilot): Promise<MusterError | undefined> {
    const runId = this.runIds.at(-1)!;
    pilot.submittedAt = monotonicSeconds();
    this.firstAskedAt ??= pilot.submittedAt;
    try {
      const jobName = formatJobName(runId, pilot.token);
      pilot.id = await this.engine.submit({ jobName, run: runId, exclude: this.failures.excludedHosts });
      failpoint("pilot-submitted");
      this.hasAnswered = true;
      pilot.state = "pending";
      await this.records.recordId(this.cluster.name, pilot);
      failpoint("pilot-recorded");
      this.refusals = 0;
      this.isRefusalNoticed = false;
      return undefined;
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      this.handleRefusal(pilot, error);
      return error;
    }
  }

  private handleRefusal(pilot: Pilot, error: MusterError): void {
    if (error instanceof SlurmError) {
      if (error.kind === "refused" && this.failures.stopExcluding()) return this.forget(pilot, "refused");
      if (this.refusals !== undefined && error.kind === "refused") this.refusals++;
      const pause = pauseAfterRefusal(error.kind, this.refusals);
      this.forget(pilot, error.kind === "limited" ? "a limit of the cluster" : "refused");
      if (pause === undefined) return this.fail(error);
      this.pausedUntil = monotonicSeconds() + pause;
      if (!this.isRefusalNoticed) this.notice(`no further pilot for now: ${error.reason}`);
      this.isRefusalNoticed = true;
      return;
    }
    if (["LOST", "TIMEOUT", "UNREACHABLE", "DROPPED"].includes(error.code)) {
      // It may have been submitted all the same: the next looks tell.
      this.pausedUntil = monotonicSeconds() + pauseAfterFailures(1);
      return this.notice(`${error.reason}; it is tried again`);
    }
    this.forget(pilot, "refused");
    this.fail(error);
  }

  /** Removes a pilot that was certainly not submitted. */
  private forget(pilot: Pilot, reason: string): void {
    this.pilots.delete(pilot.token);
    this.records.recordEnd(this.cluster.name, pilot, reason);
  }

  private fail(error: MusterError): void {
    if (this.problem !== undefined) return;
    this.problem = error;
    this.emit({ type: "unusable", error });
  }

  private handleUnanswered(error: MusterError): void {
    if (!this.isUnanswered) this.notice(`its queue cannot be looked at (${error.reason}); what runs goes on`);
    this.isUnanswered = true;
    for (const pilot of this.pilots.values())
      if (isOverdue(pilot, this.cluster, Date.now()))
        this.end(pilot, { reason: "its time limit has passed, and Slurm cannot be asked", host: undefined });
    if (this.hasAnswered || monotonicSeconds() < (this.firstAskedAt ?? Infinity) + FIRST_ANSWER_SECONDS) return;
    for (const pilot of this.pilots.values()) if (pilot.id === undefined) this.setAside(pilot);
    this.fail(error);
  }

  /**
   * Finds the ids of submissions whose reply was lost, and pilots of this run that no record tells of. Those of its former ids are not
   * needed: their agents belong to another copy of the run directory.
   */
  private async findUnknown(states: ReadonlyMap<string, AllocationState>): Promise<void> {
    const formerIds = this.runIds.slice(0, -1);
    for (const [id, { jobName, state }] of states) {
      const token = parseJobName(jobName, this.runIds);
      if (token === undefined || state === "ending") continue;
      const pilot = this.pilots.get(token) ?? this.unseen.get(token) ?? createPilot(token);
      if (parseJobName(jobName, formerIds) !== undefined) pilot.isReleased = true;
      if (pilot.id !== undefined) continue;
      this.unseen.delete(token);
      pilot.id = id;
      pilot.state = "pending";
      this.pilots.set(token, pilot);
      await this.records.recordId(this.cluster.name, pilot);
      this.notice(`pilot ${id} was found in the queue`);
    }
  }

  /** Cancels what is not needed and has not ended: an earlier scancel may have failed. */
  private async cancelReleased(states: ReadonlyMap<string, AllocationState>): Promise<void> {
    const ids = [...this.pilots.values()].flatMap(({ id, isReleased }) => (isReleased && id !== undefined ? [id] : []));
    const living = ids.filter((id) => states.has(id) && states.get(id)!.state !== "ending");
    if (living.length === 0) return;
    await this.engine.cancel(living).catch((error) => {
      if (!(error instanceof MusterError)) throw error;
    });
  }

  /** `askedAt`: when the look began; what was submitted later may be missing in it. */
  private async update(pilot: Pilot, found: AllocationState | undefined, askedAt: number): Promise<void> {
    if (found?.state === "ending" && this.mayStillReport(pilot)) return;
    if (found === undefined || found.state === "ending") {
      const isUnseen = pilot.id === undefined && askedAt < pilot.submittedAt + UNSEEN_SECONDS;
      if (pilot.submittedAt > askedAt || isUnseen) return;
      return pilot.id === undefined ? this.setAside(pilot) : this.end(pilot, await this.engine.explain(pilot.id));
    }
    pilot.reason = found.reason;
    if (found.state === "pending" && isNeverStarted(found.reason) && !pilot.isReleased) {
      await this.cancel([pilot]).catch(() => {}); // the end of the run tries again
      return this.fail(createNeverStartsError(this.cluster, pilot.id!, found.reason!));
    }
    if (found.state !== "running" || pilot.state !== "pending" || pilot.isReleased) return;
    pilot.state = "starting";
    pilot.beganAtMs ??= Date.now();
    await this.records.recordStart(this.cluster.name, pilot);
    this.emit({ type: "started", pilot, secondsLeft: found.secondsLeft });
  }

  /** Whether a pilot that is being ended may still hand over results and states: its agent is told some time before. */
  private mayStillReport(pilot: Pilot): boolean {
    if (pilot.state !== "working") return false;
    if (pilot.endingSince === undefined) this.lookSoon();
    pilot.endingSince ??= monotonicSeconds();
    return monotonicSeconds() < pilot.endingSince + ENDING_SECONDS;
  }

  /** Stops waiting for a submission that was not seen. It stays open in the journal until the queue is looked at for the last time. */
  private setAside(pilot: Pilot): void {
    this.pilots.delete(pilot.token);
    this.unseen.set(pilot.token, pilot);
  }

  private end(pilot: Pilot, end: AllocationEnd): void {
    if (!this.pilots.delete(pilot.token)) return;
    this.records.recordEnd(this.cluster.name, pilot, end.reason);
    const isExpected = pilot.isReleased || pilot.state === "working" || pilot.id === undefined;
    // One of an earlier session may have run without a coordinator until its lease ended.
    const mayHaveWorked = pilot.state === "pending" && pilot.isEarlier;
    this.emit({ type: "over", pilot, end, hasFailed: !isExpected && !mayHaveWorked });
  }

  private notice(message: string): void {
    this.emit({ type: "notice", message: `${this.cluster.name}: ${message}` });
  }
}

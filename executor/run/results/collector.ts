import { join } from "node:path";
import { MusterError } from "../../../schemas/errors.js";
import type { Chunk, Job } from "../../job/job.js";
import type { ResultFate } from "../../schedule/attempts/recomputations.js";
import type { Attempt, Failure } from "../../schedule/events.js";
import { selectCredibleUsage } from "../agent/cardusage.js";
import type { DoneMessage, SavedState } from "../agent/protocol.js";
import { failpoint } from "../failpoint.js";
import type { ResultSource } from "../node/attachment.js";
import { createFailure, errorText, isConnectionLost, isLocalError } from "../node/attemptfailure.js";
import type { RunCounters } from "../record/counters.js";
import type { RecheckDifference } from "../record/journalentry.js";
import type { CollectingDirectory } from "../record/rundir.js";
import { ChunkStates } from "./chunkstates.js";
import type { CollectedResult } from "./collectedresult.js";
import { Committer } from "./committer.js";
import { NAN_ADVICE } from "./jsontext.js";
import type { VerifiedOutput } from "./publish.js";
import { deletePulled } from "./pulloutputs.js";
import type { Rechecks } from "./rechecks.js";
import { ResultFetcher } from "./resultfetcher.js";

/** The outcome of collecting an attempt. Every attempt gets exactly one of these events, except for `logsLost`, `stateLost` and `diskFailed`. */
export type CollectorEvent =
  /** The results are committed: safe on disk, and in the journal. */
  | { type: "committed"; results: readonly CollectedResult[] }
  /** The result was collected, and is kept until `commitHeld` or `discardHeld`. */
  | { type: "held"; attempt: Attempt }
  /** The result of an attempt that was dropped is discarded. */
  | { type: "unneeded"; attempt: Attempt; seconds: number }
  /** The result was discarded, because its units are committed already. `seconds`: how long the attempt ran, here and below. */
  | { type: "dropped"; attempt: Attempt; seconds: number }
  /** The result of a recheck was compared with the first one, and discarded. */
  | { type: "rechecked"; attempt: Attempt; seconds: number; difference: RecheckDifference | undefined }
  | { type: "failed" | "refused"; attempt: Attempt; failure: Failure }
  /** The node could not be reached. It keeps the attempt's files, and its agent reports the attempt again. */
  | { type: "interrupted"; attempt: Attempt; done: DoneMessage; lost?: { source: ResultSource; error: MusterError } }
  /** An attempt that was cancelled or evicted: its logs have been collected. */
  | { type: "stopped"; attempt: Attempt }
  /** The logs of an attempt without a result could not be collected; its `failed` or `stopped` event follows. */
  | { type: "logsLost"; attempt: Attempt; reason: string }
  /** A state that the program saved could not be kept: the chunk's earlier one stays. */
  | { type: "stateLost"; attempt: Attempt; reason: string }
  /** This machine's disk failed, or there is a bug: nothing is committed any more. */
  | { type: "diskFailed"; error: unknown };

/** An attempt that has ended on its node. */
export interface EndedAttempt {
  attempt: Attempt;
  done: DoneMessage;
  /** Where its files are; undefined while its node is not connected. */
  source: ResultSource | undefined;
  /** The fingerprint of the state that its node was verified to be in. */
  fingerprint: string | undefined;
  /** The model of its GPUs, as their profile says. */
  model?: string;
}

export interface CollectorOptions {
  job: Job;
  directory: CollectingDirectory;
  rechecks: Rechecks;
  counters: RunCounters;
  /** Returns how many attempts are not committed yet, those that are being collected included. */
  inFlightCount: () => number;
  /** Returns what is to become of the result of the attempt with this id. */
  fateOf: (id: string) => ResultFate;
  emit: (event: CollectorEvent) => void;
}

/** Collects the outputs and logs of ended attempts from their nodes, and has results committed, or compared if they are rechecks. */
export class Collector {
  private readonly fetcher: ResultFetcher;
  private readonly committer: Committer;
  private readonly states: ChunkStates;
  private readonly inFlight = new Set<Promise<void>>();
  /** The results that may not be needed, by attempt id. Their nodes keep them as well, for the next coordinator. */
  private readonly held = new Map<string, CollectedResult>();

  constructor(private readonly options: CollectorOptions) {
    const { job, directory, inFlightCount, emit } = options;
    this.fetcher = new ResultFetcher(directory, job);
    this.states = new ChunkStates(join(directory.path, "state"));
    this.states.removeFinished((chunk) => {
      const units = job.unitsOf(chunk);
      return units !== undefined && directory.replay.committedUnits.overlaps(...units);
    });
    const onCommitted = (results: CollectedResult[]) => {
      for (const { chunk } of results.map(({ attempt }) => attempt))
        if (chunk.spec.state !== undefined) this.track(this.states.remove(chunk.id));
      emit({ type: "committed", results });
    };
    const onDiskError = (error: unknown) => emit({ type: "diskFailed", error });
    const onRefused = (attempt: Attempt, reason: string) =>
      emit({ type: "refused", attempt, failure: createFailure(attempt, reason) });
    this.committer = new Committer({ job, directory, onCommitted, onRefused, onDiskError, inFlightCount });
  }

  /** Collects the outputs and logs of a successful attempt, and commits or compares its result. */
  collectResult(ended: EndedAttempt): void {
    this.track(this.fetchResult(ended, false));
  }

  /** Collects what an attempt at a chunk that was stopped has written, and commits it. */
  collectPartialResult(ended: EndedAttempt): void {
    this.track(this.fetchResult(ended, true));
  }

  /** Commits a chunk that was stopped and that no node has. `number`: how many attempts it had. */
  commitStopped(chunk: Chunk, number: number): void {
    const attempt = { id: "", number, chunk, node: "-", slot: -1 };
    const ended = this.options.directory.elapsedSeconds();
    this.commit({ ...NOTHING_COLLECTED, attempt, ended });
  }

  /** Collects the logs of a failed attempt, and emits its failure. */
  collectLogs(ended: EndedAttempt, failure: Failure): void {
    const { attempt } = ended;
    this.track(this.fetchLogs(ended, { type: "failed", attempt, failure }));
  }

  /** Collects the logs of an attempt that was cancelled or evicted. */
  collectStopped(ended: EndedAttempt): void {
    this.track(this.fetchLogs(ended, { type: "stopped", attempt: ended.attempt }));
  }

  /** Copies a state that the program of a running attempt has saved, unless an earlier one of its chunk is still being copied. */
  collectState(attempt: Attempt, state: SavedState, source: ResultSource | undefined): void {
    if (source === undefined || attempt.chunk.firstResult !== undefined) return;
    if (this.states.isKeeping(attempt.chunk.id)) return;
    const handleError = (error: unknown) => {
      // After a lost connection the agent reports the state again.
      if (!isConnectionLost(error)) this.options.emit({ type: "diskFailed", error });
    };
    this.track(this.fetchState(attempt, state, source).catch(handleError));
  }

  /** Whether a chunk is committed, or is about to be. */
  isCommitted({ start, end }: Pick<Chunk, "start" | "end">): boolean {
    return this.committer.hasUnits(start, end);
  }

  /** Commits a result that is held. */
  commitHeld(id: string): void {
    const result = this.held.get(id);
    if (this.held.delete(id)) this.commit(result!);
  }

  /** Discards a result that is held; does nothing if none is. */
  discardHeld(id: string): void {
    const result = this.held.get(id);
    if (this.held.delete(id)) this.discard(result!, "unneeded");
  }

  /** Resolves when nothing is being pulled any more. */
  async settle(): Promise<void> {
    await Promise.all(this.inFlight);
  }

  /** Resolves when all results that were collected are committed. Nothing may be collected after it was called. */
  async close(): Promise<void> {
    await this.finishCommits();
    this.fetcher.close();
  }

  /** As `close`, but leaves results that were pulled in part to the next coordinator, because their nodes still hold them. */
  async suspend(): Promise<void> {
    await this.finishCommits();
    this.fetcher.suspend();
  }

  private async finishCommits(): Promise<void> {
    await this.committer.settle();
    await this.settle();
    this.committer.close();
    this.states.close();
  }

  private track(collecting: Promise<void>): void {
    this.inFlight.add(collecting);
    void collecting.finally(() => this.inFlight.delete(collecting));
  }

  private async fetchResult(one: EndedAttempt, isStopped: boolean): Promise<void> {
    const { attempt, done, source, fingerprint } = one;
    const { counters, directory, emit } = this.options;
    const ended = directory.elapsedSeconds();
    if (source === undefined) return emit({ type: "interrupted", attempt, done });
    try {
      const { outputs, json, warning } = await this.fetcher.fetchOutputs(attempt, done, source, isStopped);
      counters.countLogs(done);
      if (warning !== undefined)
        counters.noteNotANumber(
          `chunk ${attempt.chunk.id}: ${warning}, so results.ndjson has null for it. ${NAN_ADVICE}`,
        );
      if (attempt.chunk.firstResult !== undefined) return await this.compare(attempt, outputs, done.seconds);
      const { seconds, values } = done;
      this.settleFate({
        ...{ attempt, seconds, ended, outputs, values, isStopped },
        ...describeCards(one),
        ...{ fingerprint, json },
      });
    } catch (error) {
      if (isConnectionLost(error)) emit({ type: "interrupted", attempt, done, lost: { source, error } });
      else if (isLocalError(error)) emit({ type: "diskFailed", error });
      else
        emit({
          type: isUnusable(error) ? "refused" : "failed",
          attempt,
          failure: createFailure(attempt, errorText(error), done),
        });
    }
  }

  /** Commits, holds or discards a result. Whether its units are in other hands may have changed since its attempt ended. */
  private settleFate(result: CollectedResult): void {
    const { attempt } = result;
    const fate = this.options.fateOf(attempt.id);
    if (fate === "commit") return this.commit(result);
    if (fate === "discard") return this.discard(result, "unneeded");
    this.held.set(attempt.id, result);
    failpoint("held");
    this.options.emit({ type: "held", attempt });
  }

  private commit(result: CollectedResult): void {
    if (!this.committer.add(result)) return this.discard(result, "dropped");
    this.options.rechecks.recordFirst(result);
    this.options.counters.countUsage(result);
  }

  private discard({ attempt, outputs, seconds }: CollectedResult, type: "dropped" | "unneeded"): void {
    deletePulled(outputs);
    this.options.emit({ type, attempt, seconds });
  }

  private async compare(attempt: Attempt, outputs: VerifiedOutput[], seconds: number): Promise<void> {
    const difference = await this.options.rechecks.compare(attempt, outputs, this.options.counters);
    this.options.emit({ type: "rechecked", attempt, seconds, difference });
  }

  /** Copies a state, and reports where it cannot be kept. Rejects with the ConnectionError of a pull, and where this machine's disk fails. */
  private async fetchState(attempt: Attempt, state: SavedState, source: ResultSource): Promise<void> {
    const { id, chunk } = attempt;
    try {
      await this.states.keep({ id, chunk: chunk.id, limit: chunk.spec.state?.limit }, state, source);
    } catch (error) {
      if (isConnectionLost(error) || isLocalError(error)) throw error;
      this.options.emit({ type: "stateLost", attempt, reason: errorText(error) });
    }
  }

  /** Collects the logs of an attempt, and emits `outcome` then. */
  private async fetchLogs({ attempt, done, source }: EndedAttempt, outcome: CollectorEvent): Promise<void> {
    const { counters, emit } = this.options;
    // Without a connection the attempt stays open: its agent reports it again.
    if (source === undefined) return;
    try {
      if (done.state !== undefined && attempt.chunk.firstResult === undefined)
        await this.fetchState(attempt, done.state, source);
      await this.fetcher.fetchLogs(attempt, done, source);
      counters.countLogs(done);
    } catch (error) {
      if (isLocalError(error)) return emit({ type: "diskFailed", error });
      if (isConnectionLost(error)) return emit({ type: "interrupted", attempt, done, lost: { source, error } });
      emit({ type: "logsLost", attempt, reason: errorText(error) });
    }
    emit(outcome);
  }
}

/** What there is of a chunk that was stopped before it ran. */
const NOTHING_COLLECTED = {
  ...{ seconds: 0, outputs: [], values: undefined, isStopped: true },
  ...{ gpus: undefined, cards: undefined, usage: undefined, fingerprint: undefined, json: undefined },
};

/** Whether another attempt would most likely have the same result: it has the wrong format. */
function isUnusable(error: unknown): boolean {
  return error instanceof MusterError && (error.code === "NOT_JSON" || error.code === "UNJOINABLE");
}

/** Returns the GPUs of an attempt, and what it used of them. Which they were is known from its message where an earlier coordinator started it. */
function describeCards({ attempt, done, model }: EndedAttempt): Pick<CollectedResult, "gpus" | "cards" | "usage"> {
  const { cards } = done;
  const gpus = attempt.gpus ?? cards?.map(({ gpu }) => gpu);
  return { gpus, cards: cards?.map(({ pci, uuid }) => ({ pci, model, uuid })), usage: selectCredibleUsage(done) };
}

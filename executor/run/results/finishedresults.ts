import { MusterError } from "../../../schemas/errors.js";
import type { Attempt } from "../../schedule/events.js";
import { type DoneMessage, decodeUnit } from "../agent/protocol.js";
import type { ResultSource } from "../node/attachment.js";
import { RunCounters } from "../record/counters.js";
import { explainDiskError } from "../record/diskerror.js";
import type { ReopenedRun } from "../record/reopenedrun.js";
import { Collector, type CollectorEvent } from "./collector.js";
import { Rechecks } from "./rechecks.js";

/** Collects results that nodes still hold of a run without a coordinator, and commits them. */
export class FinishedResults {
  private readonly collector: Collector;
  private readonly inFlight = new Map<string, { resolve: () => void; reject: (error: unknown) => void }>();
  /** The number of chunks that were committed, and of their units. */
  committedChunks = 0;
  committedUnits = 0n;
  /** Why a result could not be committed: the first reason. */
  failure: string | undefined;
  /** Whether this machine's disk has failed. Nothing is committed after that. */
  private isBroken = false;

  private constructor(
    private readonly run: ReopenedRun,
    rechecks: Rechecks,
  ) {
    const { job, replay } = run;
    this.collector = new Collector({
      job,
      directory: run,
      rechecks,
      counters: new RunCounters(job, replay),
      inFlightCount: () => this.inFlight.size,
      // Whichever result is here first is committed; the committer drops those that overlap it.
      fateOf: () => "commit",
      emit: (event) => this.handle(event),
    });
  }

  static async open(run: ReopenedRun): Promise<FinishedResults> {
    return new FinishedResults(run, await Rechecks.open(run.job, run));
  }

  /**
   * Collects the result of an attempt on `node` that has succeeded. Resolves when it is committed, or when it is known that it will not
   * be. The message comes from a node: an attempt that this run did not start there is ignored.
   */
  async collect(node: string, done: DoneMessage, source: ResultSource): Promise<void> {
    const attempt = this.identify(node, done);
    if (attempt === undefined || this.inFlight.has(attempt.id) || this.isBroken) return;
    await new Promise<void>((resolve, reject) => {
      this.inFlight.set(attempt.id, { resolve, reject });
      this.collector.collectResult({ attempt, done, source, fingerprint: undefined });
    });
  }

  /** Resolves when everything that was collected is on disk. */
  async close(): Promise<void> {
    await this.collector.settle();
    await this.collector.close();
  }

  private identify(node: string, { id, chunk, slot, end }: DoneMessage): Attempt | undefined {
    const { job, ids, replay } = this.run;
    const [first, last] = job.unitsOf(chunk) ?? [0n, 0n];
    const until = decodeUnit(end) ?? last;
    if (!ids.isGenuine(id, node, chunk) || first >= until || until > last) return undefined;
    if (replay.cancelledUnits.overlaps(first, until)) return undefined;
    const number = (replay.loggedAttempts.find(chunk) ?? 0) + 1;
    return { id, number, chunk: job.chunk(first, until), node, slot };
  }

  private handle(event: CollectorEvent): void {
    switch (event.type) {
      case "committed":
        for (const { id, chunk } of event.results.map(({ attempt }) => attempt)) {
          this.committedChunks++;
          this.committedUnits += chunk.end - chunk.start;
          this.finish(id);
        }
        return;
      case "dropped":
      case "held":
      case "unneeded":
      case "rechecked":
      case "stopped":
        return this.finish(event.attempt.id);
      case "failed":
      case "refused":
        this.failure ??= event.failure.reason;
        return this.finish(event.attempt.id);
      case "interrupted":
        this.failure ??= event.lost?.error.message;
        return this.finish(event.attempt.id);
      case "logsLost":
      case "stateLost":
        return;
      case "diskFailed":
        return this.abort(event.error);
      default:
        event satisfies never;
    }
  }

  /** Ends everything where this machine's disk fails, or where there is a bug. */
  private abort(error: unknown): void {
    this.isBroken = true;
    const { path, results } = this.run;
    const explained = explainDiskError(path, error, results.path);
    if (explained instanceof MusterError) this.failure ??= explained.message;
    else for (const { reject } of this.inFlight.values()) reject(error);
    for (const id of this.inFlight.keys()) this.finish(id);
  }

  private finish(id: string): void {
    this.inFlight.get(id)?.resolve();
    this.inFlight.delete(id);
  }
}

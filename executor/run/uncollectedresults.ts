import type { Inventory } from "../../fleet/inventory.js";
import { MusterError } from "../../schemas/errors.js";
import type { DoneMessage } from "./agent/protocol.js";
import type { KeepLogs, ResultSource } from "./node/attachment.js";
import type { AttemptKeeper } from "./node/heldresults.js";
import { explainDiskError } from "./record/diskerror.js";
import type { Journal } from "./record/journal.js";
import { reopenRun } from "./record/reopenedrun.js";
import type { RunReplay } from "./record/replay.js";
import { FinishedResults } from "./results/finishedresults.js";
import { StoppedLogs } from "./results/stoppedlogs.js";

/** What is needed to know which job a run is of, and to say what is done with it. */
export interface UncollectedOptions {
  findInventory(inventory: string): Inventory;
  onEvent(
    event: { type: "collecting"; node: string; count: number } | { type: "ending"; node: string; message: string },
  ): void;
}

/** Commits the results, and keeps the logs, that nodes hold when a run is cancelled. Its job is loaded when the first result appears. */
export class UncollectedResults implements AttemptKeeper {
  /** The chunks that nodes hold results of. */
  readonly chunks = new Set<string>();
  private readonly logs: StoppedLogs;
  private results: Promise<FinishedResults | { failure: string }> | undefined;

  /** `path`: the run directory. `journal`: of this run, open for writing. */
  constructor(
    private readonly path: string,
    private readonly journal: Journal,
    private readonly replay: RunReplay,
    private readonly options: UncollectedOptions,
  ) {
    this.logs = new StoppedLogs(path, replay.loggedAttempts, journal);
  }

  readonly keepLogs: KeepLogs = (done, source) => this.logs.save(done, source);

  onHeld(node: string, count: number): void {
    this.options.onEvent({ type: "collecting", node, count });
  }

  onEnding(node: string, message: string): void {
    this.options.onEvent({ type: "ending", node, message });
  }

  async keepResult(node: string, done: DoneMessage, source: ResultSource): Promise<void> {
    this.chunks.add(done.chunk);
    this.results ??= this.open();
    const results = await this.results;
    if (results instanceof FinishedResults) await results.collect(node, done, source);
  }

  /** Resolves when everything is on disk, with what was committed. `failure`: why a result was not. */
  async close(): Promise<Pick<FinishedResults, "committedChunks" | "committedUnits" | "failure">> {
    const results = await this.results;
    if (results instanceof FinishedResults) {
      await results.close();
      return results;
    }
    return { committedChunks: 0, committedUnits: 0n, failure: results?.failure };
  }

  /** Returns why results cannot be committed, where they cannot: the run is cancelled all the same. */
  private async open(): Promise<FinishedResults | { failure: string }> {
    const { path, journal, replay, options } = this;
    if (replay.isComplete) return { failure: "the run is complete" };
    try {
      const inventory = options.findInventory([...replay.nodes.keys()].at(-1)!);
      return await FinishedResults.open(await reopenRun(path, journal, replay, inventory));
    } catch (error) {
      const explained = explainDiskError(path, error);
      if (explained instanceof MusterError) return { failure: explained.message };
      throw error;
    }
  }
}

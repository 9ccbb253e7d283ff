import type { RunSummary } from "../executor/run/record/runsummary.js";
import type { RunResult } from "../launch/runresult.js";
import type { RunVerdict } from "../launch/runverdict.js";

/** How a run has ended: what that means, and its summary. `wasComplete`: it was complete before, so that nothing was done. */
export type FinishedRun = RunVerdict & Readonly<{ summary: RunSummary; wasComplete: boolean }>;

/** What a `Run` is made of. */
interface RunParts {
  directory: string;
  notes: readonly string[];
  results: AsyncIterable<RunResult>;
  finished: Promise<FinishedRun>;
  interrupt: () => void;
}

/**
 * A run that has begun. Iterating yields each committed result once, those of earlier sessions first, and ends with the run. Leaving the loop
 * early interrupts the run, as the signal does.
 */
export class Run<Output = unknown> implements AsyncIterable<RunResult<Output>> {
  /** The absolute path of the run directory. */
  readonly directory: string;
  /** What a user should know about the job, one sentence each. */
  readonly notes: readonly string[];
  /**
   * Resolves when the run has ended, and this process holds nothing of it any more. Rejects with what
   * `onEvent` threw, and else only for bugs of muster.
   */
  readonly finished: Promise<FinishedRun>;
  readonly #results: AsyncIterable<RunResult>;
  readonly #interrupt: () => void;

  /** Only `run` creates runs. */
  constructor({ directory, notes, results, finished, interrupt }: RunParts) {
    this.directory = directory;
    this.notes = notes;
    this.finished = finished;
    this.#results = results;
    this.#interrupt = interrupt;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RunResult<Output>, void, undefined> {
    try {
      yield* this.#results as AsyncIterable<RunResult<Output>>;
    } finally {
      // The run goes on where the loop was left early.
      this.#interrupt();
      await this.finished;
    }
  }
}

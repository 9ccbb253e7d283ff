import type { RunObserver } from "../executor/run/runobserver.js";

/** Prints the results of a run while it goes on. */
export interface ResultOutput {
  /** Returns an observer that notifies another one, and prints what has come. */
  observe(observer: RunObserver): RunObserver;
  /** Prints the rest of the run in the directory `path`, which has ended. Resolves when it is written. */
  finish(path: string): Promise<void>;
  /** Fires when nobody reads what is printed any more, so that the run should be interrupted. */
  readonly closed?: AbortSignal;
}

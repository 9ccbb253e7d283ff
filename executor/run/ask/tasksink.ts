import type { MusterError } from "../../../schemas/errors.js";

/** Adds tasks to the queue of a run. */
export interface TaskSink {
  /** How many tasks the queue has accepted. */
  readonly acceptedCount: bigint;
  /** Whether the queue takes tasks. Somebody else may close it. */
  readonly isOpen: boolean;
  /** Adds tasks, each a JSON text; they are on disk when it resolves with how many of them are new. All or none are added. */
  add(tasks: readonly string[]): Promise<number>;
  /** Closes the queue. */
  close(): Promise<void>;
  /** Whether an error of `add` is about the tasks, and not about this machine. */
  isRefusal(error: MusterError): boolean;
}

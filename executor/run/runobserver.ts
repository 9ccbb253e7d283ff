import type { Failure } from "../schedule/events.js";
import type { NodeWorker } from "./node/nodeworker.js";
import type { RecheckDifference } from "./record/journalentry.js";
import type { LiveRun } from "./record/liverun.js";
import type { ExcludedNode } from "./record/runsummary.js";

/** The current state of a run, as others read it from live.json. */
export interface RunView {
  readonly current: LiveRun;
}

/** Is notified of what happens in a run, to show it. It never influences the run. */
export interface RunObserver {
  /** The run begins in the run directory `path`; the nodes `leftOut` get no work. */
  runStarted(view: RunView, path: string, leftOut: ExcludedNode[]): void;
  /** The connection state of a node has changed. */
  nodeChanged(worker: NodeWorker): void;
  /** A slot is used by `holder` (such as "run sieve"); undefined = it is free again. */
  slotHolderChanged(worker: NodeWorker, slot: number, holder: string | undefined): void;
  /** The number of slots that wait for the node's memory has changed. */
  memoryPressureChanged(worker: NodeWorker): void;
  /** Something about a node that a person should know. */
  nodeWarning(worker: NodeWorker, message: string): void;
  /** Something about the run that a person may want to know. */
  notice(message: string): void;
  /** An attempt has failed; its chunk may be tried again. */
  attemptFailed(failure: Failure): void;
  /** A recheck of a chunk had a different result. */
  recheckDiffered(differing: RecheckDifference): void;
  /** A chunk will not be tried again. */
  chunkFailed(failure: Failure): void;
  /** One or more chunks were committed. */
  chunksCommitted(): void;
}

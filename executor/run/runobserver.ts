import type { Failure } from "../schedule/events.js";
import type { NodeWorker } from "./node/nodeworker.js";
import type { RunCounters } from "./record/counters.js";
import type { RecheckDifference } from "./record/journalentry.js";
import type { ExcludedNode } from "./record/runsummary.js";

/** What there is to see of a run, at any time. */
export interface RunView {
  readonly workers: NodeWorker[];
  readonly counters: RunCounters;
}

/** Whoever watches a run; called as things happen, and never to decide anything. */
export interface RunObserver {
  /** The run begins in the run directory `path`; `leftOut` get no work of it. */
  runStarted(view: RunView, path: string, leftOut: ExcludedNode[]): void;
  /** A node's state has changed. */
  nodeChanged(member: NodeWorker): void;
  /** A slot's GPU is held by `holder` ("run sieve"), or (absent) free again. */
  slotHolderChanged(member: NodeWorker, slot: number, holder: string | undefined): void;
  /** How many of a node's slots wait for its memory has changed. */
  memoryPressureChanged(member: NodeWorker): void;
  /** Something that a person should know of. */
  nodeWarning(member: NodeWorker, message: string): void;
  /** Something of the run itself that a person may like to know. */
  notice(message: string): void;
  /** An attempt failed; its chunk may be tried again. */
  attemptFailed(failure: Failure): void;
  /** Two results of a chunk differ. */
  recheckDiffered(differing: RecheckDifference): void;
  /** A chunk will not be tried again. */
  chunkFailed(failure: Failure): void;
  /** Something was committed. */
  chunksCommitted(): void;
}

import type { PendingChunk } from "./queue/pendingchunk.js";
import type { LearnedRates } from "./rates/rates.js";
import type { ExpectedNode } from "./slots/expectednodes.js";

/** What is known when the work of a session begins. */
export interface ScheduleStart {
  /** The units that earlier coordinators of the run have committed or given up. */
  done?: Iterable<[start: bigint, end: bigint]>;
  /** How many chunks they have committed. */
  committedChunks?: number;
  /** Chunks that they have committed but not compared yet. */
  rechecks?: readonly PendingChunk[];
  /** What the nodes that may join are expected to have, by name. */
  expected?: ReadonlyMap<string, ExpectedNode>;
  /** What earlier runs have learned. */
  learned?: LearnedRates | undefined;
}

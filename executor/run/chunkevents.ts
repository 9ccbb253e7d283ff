import { EventEmitter } from "node:events";
import type { Failure } from "../schedule/events.js";

/**
 * What happens to chunks. `committed`: this many more are on disk and in the journal; `failed`: one will not be tried again; `cancelled`: its
 * task was cancelled; `valued`: an attempt has reported values.
 */
export class ChunkEvents extends EventEmitter<{
  committed: [count: number];
  failed: [failure: Failure];
  cancelled: [chunk: string];
  valued: [];
}> {}

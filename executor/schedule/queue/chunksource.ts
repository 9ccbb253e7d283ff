import type { SlotState } from "../slots/slotstate.js";

/** The units that nobody has been given yet. */
export interface ChunkSource {
  /** Units still to be given out. */
  readonly left: bigint;
  /** Takes the units of a slot's next chunk; undefined where none is left, or none that this slot should have. */
  take(slot: SlotState): [start: bigint, end: bigint] | undefined;
  /** Takes [start, end) out, e.g. because an earlier session did it. False, and nothing taken, if any of it was taken already. */
  remove(start: bigint, end: bigint): boolean;
}

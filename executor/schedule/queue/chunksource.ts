import type { SlotState } from "../slots/slotstate.js";

/** The units that no slot has been given. */
export interface ChunkSource {
  /** The number of unassigned units. */
  readonly left: bigint;
  /** Whether more units may come, so that a run without work waits for them; undefined = none will. */
  readonly isOpen?: boolean;
  /**
   * Takes the units of a slot's next chunk. `mostCost`: of a task, by its estimate; undefined = any. `fitCost`: what fits on the slot before
   * its node ends, so that a range is cut to fit, and tasks of lower priority may come before longer ones. Returns undefined if none is
   * left, or none that this slot should get.
   */
  take(slot: SlotState, now: number, mostCost?: number, fitCost?: number): [start: bigint, end: bigint] | undefined;
  /**
   * Removes [start, end), for example because an earlier coordinator committed it. Returns false, and removes nothing, if
   * any of its units was taken before.
   */
  remove(start: bigint, end: bigint): boolean;
}

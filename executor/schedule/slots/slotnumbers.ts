import type { Attempt } from "../events.js";

/** Returns the numbers of all slots of an attempt. */
export function slotNumbersOf({ slot, slots }: Pick<Attempt, "slot" | "slots">): readonly number[] {
  return slots ?? [slot];
}

import type { Attempt } from "../events.js";
import type { SlotState } from "../slots/slotstate.js";

/** Returns where an attempt on these slots of one node runs; they are in the order of their numbers. */
export function placeAttempt(
  slots: readonly SlotState[],
): Pick<Attempt, "node" | "slot" | "slots" | "gpus" | "devices"> {
  const [{ node, slot }] = slots as [SlotState];
  const gpus = slots.flatMap(({ gpu }) => gpu ?? []);
  const devices = slots.flatMap(({ card }) => card?.device ?? []);
  return {
    node,
    slot,
    ...(slots.length === 1 ? {} : { slots: slots.map((one) => one.slot) }),
    ...(gpus.length === 0 ? {} : { gpus }),
    ...(devices.length === 0 ? {} : { devices }),
  };
}

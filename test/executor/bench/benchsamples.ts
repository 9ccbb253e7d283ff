import type { BenchedCard, CardPass } from "../../../executor/bench/benchcards.js";
import type { Measurement } from "../../../executor/bench/measurement.js";

/** Returns what a card did in a pass: with a rate, and further figures. */
export function createPass(rate: number | undefined, more: Partial<Measurement> = {}, capWatts?: number): CardPass {
  const measurements = rate === undefined ? [] : [{ slot: 0, rate, seconds: 10, ...more }];
  return { order: "together", ...(capWatts === undefined ? {} : { capWatts }), measurements };
}

/** Returns a card of the profile rx6600; `name`: `NODE:SLOT`. */
export function createCard(name: string, passes: CardPass[], kind = "RX 6600"): BenchedCard {
  const [node, slot] = name.split(":") as [string, string];
  return { node, slot: Number(slot), vendor: "amd", kind, profile: "rx6600", passes };
}

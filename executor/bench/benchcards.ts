import type { GpuVendor } from "../../fleet/gpus/probeoutput.js";
import type { Measurement } from "./measurement.js";

/** A GPU of a node. `kind`: what it has in common with cards that should be as fast: their model, else their profile. */
export interface BenchCard {
  node: string;
  slot: number;
  pci?: string;
  vendor: GpuVendor;
  kind: string;
  /** The name of its profile; undefined = the node describes its GPUs itself. */
  profile?: string;
}

/** A pass: one card after the other, or all cards of the node at once, with the power limit `capWatts` if it has one. */
export type PassKind = { order: "alone" } | { order: "together"; capWatts?: number };

/** What a card did in a pass. `failure`: it has no result, and why. */
export type CardPass = PassKind & { measurements: readonly Measurement[]; failure?: string };

/** A card with all that was measured of it. */
export interface BenchedCard extends BenchCard {
  passes: readonly CardPass[];
}

/** Whether two passes are of the same kind. */
function isSamePass(a: PassKind, b: PassKind): boolean {
  return a.order === b.order && capOf(a) === capOf(b);
}

/** Returns the power limit of a pass, in watts; undefined = the one that the card had. */
export function capOf(pass: PassKind): number | undefined {
  return pass.order === "together" ? pass.capWatts : undefined;
}

/** Returns the mean rate of a card in a pass, units a second; undefined where it has none, or it was not the card that computed. */
export function findRate({ passes }: Pick<BenchedCard, "passes">, kind: PassKind): number | undefined {
  const rates = findMeasurements({ passes }, kind).map(({ rate }) => rate);
  return rates.length === 0 ? undefined : rates.reduce((sum, one) => sum + one, 0) / rates.length;
}

/** Returns the mean power of a card in a pass, in watts; undefined where it was not looked at. */
export function findWatts({ passes }: Pick<BenchedCard, "passes">, kind: PassKind): number | undefined {
  const means = findMeasurements({ passes }, kind).flatMap(({ watts }) => (watts === undefined ? [] : [watts.mean]));
  return means.length === 0 ? undefined : means.reduce((sum, one) => sum + one, 0) / means.length;
}

function findMeasurements({ passes }: Pick<BenchedCard, "passes">, kind: PassKind): readonly Measurement[] {
  const pass = passes.find((one) => isSamePass(one, kind));
  return (pass?.measurements ?? []).filter(({ notTheCard }) => notTheCard === undefined);
}

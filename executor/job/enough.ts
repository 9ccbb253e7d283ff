import type { FilePosition } from "../../schemas/errors.js";
import { parseUnitPart, type UnitPart } from "../../schemas/quantity.js";
import type { JobReader, KeyPath } from "./reader.js";

/** How much of a job must be committed for it to count as done. `label`: how the file names it, at `position`. */
export interface Enough {
  readonly part: UnitPart;
  readonly label: string;
  readonly position: FilePosition;
}

/** Reads the key `enough` at `path`; undefined if there is none, or it is invalid, which the schema check reports. */
export function readEnough(reader: JobReader, path: KeyPath, label: string): Enough | undefined {
  const parsed = parseUnitPart(reader.source.get(path));
  return parsed.ok ? { part: parsed.value, label, position: reader.source.positionOf(path) } : undefined;
}

/** Returns the number of units that are enough: a share is rounded up. Reports a number that is larger than the job has. */
export function countEnoughUnits(reader: JobReader, enough: Enough | undefined, units: bigint): bigint | undefined {
  if (enough === undefined) return undefined;
  const { part, label, position } = enough;
  if (!("count" in part)) return (units * part.numerator + part.denominator - 1n) / part.denominator;
  if (part.count > units)
    reader.report(
      position,
      `${label}: the job has ${units} units, fewer than ${part.count}`,
      "or name a share, like 95%",
    );
  return part.count;
}

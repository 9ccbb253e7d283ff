import { rangeId, rangeUnits } from "./ids.js";
import type { Chunk, Sizing, Work } from "./job.js";
import type { Reader } from "./reader.js";
import { identityOf, stagedOf, withValues } from "./recipe.js";
import { seconds } from "./settings.js";
import type { Space } from "./space.js";

const MIN = 500;
/** Of CLUSTER.md: a chunk is at most 50 times the base. */
const MOST = 50;
/** Ids are file names, which have at most 255 bytes. */
const BEYOND = 10n ** 90n;

/** A half-open range of integers, cut into chunks as they are needed. */
export function rangeSpace(reader: Reader, work: Work): Space | undefined {
  const bounds = readRange(reader);
  const sizing = readSizing(reader);
  if (bounds === undefined) return undefined;
  const [first, end] = bounds;
  return {
    first,
    units: end - first,
    sizing,
    outputs: [work.outputs],
    identity: { range: [`${first}`, `${end}`], ...identityOf(work) },
    chunk: (start, stop) => chunkOf(work, start, stop),
    unitsOf(id) {
      const units = rangeUnits(id);
      return units === undefined || units[0] < first || units[1] > end ? undefined : units;
    },
    stagedFiles: () => stagedOf([work]),
  };
}

function chunkOf(work: Work, start: bigint, end: bigint): Chunk {
  const id = rangeId(start, end);
  const values = new Map([
    ["chunk", id],
    ["start", `${start}`],
    ["end", `${end}`],
  ]);
  return { id, start, end, work: withValues(work, values) };
}

function readRange(reader: Reader): [bigint, bigint] | undefined {
  const first = reader.whole(["range", 0]);
  const end = reader.whole(["range", 1]);
  if (first === undefined || end === undefined || reader.items(["range"]).length !== 2) return undefined;
  if (end >= BEYOND) {
    reader.fault(["range"], "range: its end has more than 90 digits", "chunks are named by their numbers");
    return undefined;
  }
  if (end > first) return [first, end];
  const message = end === first ? "is empty" : "ends before it begins";
  reader.fault(["range"], `range: [${first}, ${end}] ${message}`, "it is [start, end] without end itself");
  return undefined;
}

function readSizing(reader: Reader): Sizing {
  const fixed = reader.number(["chunk"]);
  if (fixed !== undefined) return { by: "rate", base: fixed, min: fixed, max: fixed };
  const [base, min, max] = ["base", "min", "max"].map((key) => reader.number(["chunk", key]));
  const target = seconds(reader, ["chunk", "target"]);
  const sizing: Sizing =
    base !== undefined && target === undefined
      ? { by: "rate", base, min: min ?? Math.min(MIN, base), max: max ?? MOST * base }
      : { by: "time", target, first: base, min: min ?? 1, max: max ?? (base === undefined ? undefined : MOST * base) };
  checkOrder(reader, { min: sizing.min, base, max: sizing.max });
  return sizing;
}

function checkOrder(reader: Reader, bounds: Record<string, number | undefined>): void {
  const given = Object.entries(bounds).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]));
  if (given.every(({ value }, index) => index === 0 || given[index - 1]!.value <= value)) return;
  const shown = given.map(({ key, value }) => `${key} ${value}`);
  reader.fault(["chunk"], `chunk: ${shown.slice(0, -1).join(", ")} and ${shown.at(-1)} must not decrease`);
}

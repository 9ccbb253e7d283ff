import { formatRangeId, parseRangeId } from "./chunkids.js";
import { fillArguments, listStagedFiles, specIdentity } from "./chunkspec.js";
import type { Chunk, ChunkSpec, Sizing } from "./job.js";
import { readSeconds } from "./jobsettings.js";
import type { JobReader } from "./reader.js";
import type { UnitSpace } from "./unitspace.js";

const DEFAULT_MIN_UNITS = 500;
/** The default maximum of a chunk is this many times `base`, as in the Python coordinator.py that muster replaces. */
const MAX_TIMES_BASE = 50;
/** Ids are file names, which have at most 255 bytes. */
const MAX_RANGE_END = 10n ** 90n;

/** Reads a half-open range of integers, which is cut into chunks on demand. */
export function createRangeSpace(reader: JobReader, spec: ChunkSpec): UnitSpace | undefined {
  const bounds = readRange(reader);
  const sizing = readSizing(reader);
  if (bounds === undefined) return undefined;
  const [first, end] = bounds;
  return {
    first,
    units: end - first,
    sizing,
    outputs: [spec],
    identity: { range: [`${first}`, `${end}`], ...specIdentity(spec) },
    chunk: (start, stop) => rangeChunk(spec, start, stop),
    unitsOf(id) {
      const units = parseRangeId(id);
      return units === undefined || units[0] < first || units[1] > end ? undefined : units;
    },
    specs: [spec],
    stagedFiles: () => listStagedFiles([spec]),
  };
}

function rangeChunk(spec: ChunkSpec, start: bigint, end: bigint): Chunk {
  const id = formatRangeId(start, end);
  const values = new Map([
    ["chunk", id],
    ["start", `${start}`],
    ["end", `${end}`],
    ["last", `${end - 1n}`],
    ["count", `${end - start}`],
  ]);
  return { id, start, end, spec: fillArguments(spec, values) };
}

function readRange(reader: JobReader): [bigint, bigint] | undefined {
  const first = reader.integer(["range", 0]);
  const end = reader.integer(["range", 1]);
  if (first === undefined || end === undefined || reader.items(["range"]).length !== 2) return undefined;
  if (end >= MAX_RANGE_END) {
    reader.reportAt(["range"], "range: its end has more than 90 digits", "chunks are named by their numbers");
    return undefined;
  }
  if (end > first) return [first, end];
  const message = end === first ? "is empty" : "ends before it begins";
  reader.reportAt(["range"], `range: [${first}, ${end}] ${message}`, "the end is excluded");
  return undefined;
}

function readSizing(reader: JobReader): Sizing {
  const fixed = reader.number(["chunk"]);
  if (fixed !== undefined) return { by: "rate", base: fixed, min: fixed, max: fixed };
  const [base, min, max] = ["base", "min", "max"].map((key) => reader.number(["chunk", key]));
  const target = readSeconds(reader, ["chunk", "target"]);
  const sizing: Sizing =
    base !== undefined && target === undefined
      ? { by: "rate", base, min: min ?? Math.min(DEFAULT_MIN_UNITS, base), max: max ?? MAX_TIMES_BASE * base }
      : {
          by: "time",
          target,
          first: base,
          min: min ?? 1,
          max: max ?? (base === undefined ? undefined : MAX_TIMES_BASE * base),
          ...(reader.text(["worker"]) === "warm" ? { isWarm: true } : {}),
        };
  checkOrder(reader, { min: sizing.min, base, max: sizing.max });
  return sizing;
}

function checkOrder(reader: JobReader, bounds: Record<string, number | undefined>): void {
  const given = Object.entries(bounds).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]));
  if (given.every(({ value }, index) => index === 0 || given[index - 1]!.value <= value)) return;
  const shown = given.map(({ key, value }) => `${key} ${value}`);
  reader.reportAt(["chunk"], `chunk: ${shown.slice(0, -1).join(", ")} and ${shown.at(-1)} must not decrease`);
}

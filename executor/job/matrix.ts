import { encodeNamePart, parseShortenedId, shortenId } from "./chunkids.js";
import { fillArguments, listStagedFiles, specIdentity } from "./chunkspec.js";
import type { Chunk, ChunkSpec, Job } from "./job.js";
import { readSeconds } from "./jobsettings.js";
import { isScalar, type JobReader } from "./reader.js";
import type { UnitSpace } from "./unitspace.js";

/** One key of a matrix: its number of values, and each of them as text. Integer ranges are never listed. */
interface MatrixAxis {
  key: string;
  size: bigint;
  value(index: bigint): string;
  /** The same as the job file has it. */
  param(index: bigint): Job["params"][string];
  /** undefined = there is no such value. `part`: the value as it appears in an id. */
  indexOf(part: string): bigint | undefined;
  identity: unknown;
}

/** Reads a matrix: every combination of the values of its keys; the last key changes fastest. */
export function readMatrix(reader: JobReader, spec: ChunkSpec): UnitSpace {
  const axes = reader.keys(["matrix"]).flatMap((key) => readAxis(reader, key) ?? []);
  const expect = readSeconds(reader, ["expect"]);
  const units = axes.reduce((product, { size }) => product * size, 1n);
  const idOf = (unit: bigint) => {
    const values = axisIndices(axes, unit).map((index, at) => axes[at]!.value(index));
    return matrixId(axes, values, unit);
  };
  return {
    first: 0n,
    units,
    outputs: [spec],
    identity: { matrix: axes.map(({ key, identity }) => [key, identity]), ...specIdentity(spec) },
    chunk: (start) => ({ ...matrixChunk(axes, spec, start), expectedSeconds: expect }),
    unitsOf(id) {
      const unit = parseShortenedId(id) ?? parseMatrixId(axes, id);
      return unit === undefined || unit >= units || idOf(unit) !== id ? undefined : [unit, unit + 1n];
    },
    specs: [spec],
    stagedFiles: () => listStagedFiles([spec]),
  };
}

function matrixChunk(axes: MatrixAxis[], spec: ChunkSpec, unit: bigint): Chunk {
  const indices = axisIndices(axes, unit);
  const texts = indices.map((index, at) => axes[at]!.value(index));
  const id = matrixId(axes, texts, unit);
  const values = new Map(axes.map(({ key }, at) => [key, texts[at]!]));
  values.set("chunk", id);
  const params = Object.fromEntries(axes.map(({ key, param }, at) => [key, param(indices[at]!)]));
  return { id, start: unit, end: unit + 1n, params, spec: fillArguments(spec, values) };
}

function matrixId(axes: MatrixAxis[], values: string[], unit: bigint): string {
  return shortenId(axes.map(({ key }, at) => `${key}=${encodeNamePart(values[at]!)}`).join(","), unit);
}

/** Returns the index of each axis at `unit`: the digits of `unit` in a mixed radix. */
function axisIndices(axes: MatrixAxis[], unit: bigint): bigint[] {
  const indices: bigint[] = [];
  let rest = unit;
  for (let at = axes.length - 1; at >= 0; at--) {
    const { size } = axes[at]!;
    indices[at] = rest % size;
    rest /= size;
  }
  return indices;
}

function parseMatrixId(axes: MatrixAxis[], id: string): bigint | undefined {
  const parts = id.split(",");
  let unit = 0n;
  for (const [at, axis] of axes.entries()) {
    const part = parts[at];
    const index = part?.startsWith(`${axis.key}=`) ? axis.indexOf(part.slice(axis.key.length + 1)) : undefined;
    if (index === undefined) return undefined;
    unit = unit * axis.size + index;
  }
  return unit;
}

function readAxis(reader: JobReader, key: string): MatrixAxis | undefined {
  const path = ["matrix", key];
  const values = reader.list(path);
  if (values === undefined || values.length === 0) return undefined;
  const first = reader.integer([...path, 0]);
  const end = reader.integer([...path, 1]);
  if (values.length === 2 && first !== undefined && end !== undefined) return createRangeAxis(reader, key, first, end);
  const texts = values.map(({ text }) => text);
  const given = texts.map((text, at) => {
    const value = reader.source.get([...path, at]);
    return isScalar(value) ? value : text;
  });
  const seen = new Set<string>();
  for (const one of values) {
    const isAgain = seen.size === seen.add(one.text).size;
    if (isAgain) reader.report(one.position, `matrix.${key}: the value ${one.text} appears twice`);
  }
  const index = new Map(texts.map((text, at) => [encodeNamePart(text), BigInt(at)]));
  return {
    key,
    size: BigInt(texts.length),
    value: (at) => texts[Number(at)]!,
    param: (at) => given[Number(at)]!,
    indexOf: (part) => index.get(part),
    identity: texts,
  };
}

function createRangeAxis(reader: JobReader, key: string, first: bigint, end: bigint): MatrixAxis | undefined {
  if (end <= first) {
    const message = `matrix.${key}: [${first}, ${end}] ${end === first ? "is empty" : "ends before it begins"}`;
    reader.reportAt(
      ["matrix", key],
      message,
      `a pair of integers is a half-open range; two values are ["${first}", "${end}"]`,
    );
    return undefined;
  }
  return {
    key,
    size: end - first,
    value: (at) => `${first + at}`,
    param: (at) => first + at,
    indexOf(part) {
      const value = /^-?\d{1,400}$/.test(part) ? BigInt(part) : undefined;
      return value !== undefined && value >= first && value < end ? value - first : undefined;
    },
    identity: { range: [`${first}`, `${end}`] },
  };
}

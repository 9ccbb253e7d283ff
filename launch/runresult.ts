import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "../executor/job/job.js";
import { listResultPaths } from "../executor/job/resultpath.js";
import type { ReportedValue } from "../executor/run/agent/protocol.js";
import type { ResultLine } from "../executor/run/record/resultlines.js";
import type { ResultsFolder } from "../executor/run/record/resultsfolder.js";
import { parseJson } from "../schemas/jsonparser.js";

/** The committed result of one chunk. `Output`: what its first output holds. */
export interface RunResult<Output = unknown> {
  /** The id of the chunk: of a task its own; else such as `0-10000` or `model=a,trial=3`. */
  readonly chunk: string;
  /** The job's `params`, and of a matrix the values of this combination. */
  readonly params: Readonly<Record<string, string | number | bigint | boolean>>;
  /** Of a range: the units [start, end) of the chunk. */
  readonly range?: Readonly<{ start: bigint; end: bigint }>;
  readonly node: string;
  readonly slot: number;
  /** The indices of the GPUs that computed it. */
  readonly gpus: readonly number[];
  /** How many attempts it took, this one included. */
  readonly attempt: number;
  /** How long its program ran. */
  readonly seconds: number;
  /** The SHA-256 of its first output. */
  readonly sha256: string;
  /** The absolute paths of its outputs: of a stopped chunk, of those that it has; none with `collect: lines`. */
  readonly files: readonly string[];
  /** Its first output, if that is JSON and not large, else null. Integers beyond 2^53 are bigints. */
  readonly output: Output;
  /** The intermediate values that its program has reported: [step, value] in order; absent where it reported none. */
  readonly values?: readonly ReportedValue[];
  /** It was stopped on request: its outputs are those that it had by then, which may be none. */
  readonly stopped?: true;
}

type ParsedLine = Omit<ResultLine, "output"> & { output: unknown };

/** Returns the result that a line of results.ndjson holds. */
export function parseResultLine(line: string, job: Job, { path, layout }: ResultsFolder): RunResult {
  const {
    chunk: id,
    node,
    slot,
    gpus = [],
    attempt,
    seconds,
    sha256,
    files,
    output,
    values,
    stopped,
  } = parseExactly(line);
  const [start, end] = job.unitsOf(id) ?? [job.first, job.first];
  const chunk = job.chunk(start, end);
  const paths = job.collect === "lines" ? [] : (files?.map((file) => file.path) ?? listResultPaths(layout, chunk));
  return {
    chunk: id,
    params: { ...job.params, ...chunk.params },
    ...(job.kind === "range" ? { range: { start, end } } : {}),
    node,
    slot,
    gpus,
    attempt,
    seconds,
    sha256,
    files: paths.map((file) => join(path, file)).filter((file) => stopped === undefined || existsSync(file)),
    output,
    ...(values === undefined ? {} : { values }),
    ...(stopped === undefined ? {} : { stopped }),
  };
}

/** Parses a line so that large integers stay exact. JSON.parse is much faster, and rounds them. */
function parseExactly(line: string): ParsedLine {
  const parsed = /\d{16}/.test(line) ? parseJson(line) : undefined;
  // The output of a program may have what that parser refuses, such as a key twice.
  return (parsed !== undefined && "value" in parsed ? parsed.value : JSON.parse(line)) as ParsedLine;
}

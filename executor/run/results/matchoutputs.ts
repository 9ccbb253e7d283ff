import { posix } from "node:path";
import { formatUnequalBytes } from "../../../schemas/bytecount.js";
import { MusterError } from "../../../schemas/errors.js";
import { isFoundBy } from "../../job/foundoutputs.js";
import { normalizePath } from "../../job/inputs.js";
import type { ChunkSpec, FoundOutputs, Job } from "../../job/job.js";
import { parentFolders } from "../../job/outputregistry.js";
import { STDOUT } from "../../job/outputs.js";
import type { DoneMessage, OutputReport } from "../agent/protocol.js";

/** An output that a node reports: where it lies in the attempt's folder there, and its path in the chunk's spec. */
export interface MatchedOutput {
  /** As the chunk's spec has it: relative to the working directory. */
  readonly path: string;
  readonly kind: "file" | "stdout" | "appended" | "found";
  /** Relative to the attempt's folder. */
  readonly remote: string;
  readonly report: Omit<OutputReport, "path">;
}

/** What a job allows its chunks, and its working directory relative to the project's root. */
export interface OutputLimits {
  readonly limits: Job["limits"];
  readonly cwd: string;
  /** Whether outputs may be missing, because the chunk was stopped. */
  readonly isPartial: boolean;
}

const SHA256_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/** The longest path of a found output. */
const MAX_PATH_BYTES = 1024;
/** Names that programs on this machine act on: git runs hooks, and muster keeps files of its own. */
const RESERVED_NAME = /^(\.git|\.muster-.*)$/i;
/** The longest name of a file or folder, on all common file systems. */
const MAX_NAME_BYTES = 255;

/**
 * Matches what a node reports with what the chunk declares: stdout, then the files in the order of the spec, then those that were found.
 * The node is not trusted. Throws CORRUPT (3) where an output is missing, is larger than the job allows, was not declared, or has a
 * path that no file can have beside the others.
 */
export function matchOutputs(
  spec: ChunkSpec,
  done: DoneMessage,
  { limits, cwd, isPartial }: OutputLimits,
): MatchedOutput[] {
  const reports = new Map(done.outputs.map((report) => [report.path, report]));
  const printed = spec.takesStdout && !(isPartial && isStdoutMissing(done)) ? [matchStdout(done, limits.stdout)] : [];
  const named = spec.outputs.flatMap((path): MatchedOutput | [] => {
    const place = posix.join(cwd, path);
    const report = reports.get(place);
    reports.delete(place);
    if (report === undefined && isPartial) return [];
    if (report === undefined) throw createCorruptError(path, "the node does not report it");
    rejectLarge(path, report.size, limits.output);
    const kind = spec.appended?.includes(path) ? "appended" : "file";
    return { path, kind, remote: `work/${place}`, report };
  });
  return [...printed, ...named, ...matchFound(spec, [...reports.values()], { limits, cwd, isPartial })];
}

/** Whether a program has printed something of which the node has no hash: it was not started, or not ended in order. */
function isStdoutMissing({ stdout }: DoneMessage): boolean {
  return stdout.size > 0 && stdout.sha256 === undefined;
}

function matchStdout({ stdout }: DoneMessage, limit: number): MatchedOutput {
  const sha256 = stdout.size === 0 ? SHA256_OF_NOTHING : stdout.sha256;
  if (sha256 === undefined) throw createCorruptError(STDOUT, "the node does not report its hash");
  rejectLarge(STDOUT, stdout.size, limit);
  const data = stdout.size === 0 ? "" : stdout.data;
  return { path: STDOUT, kind: "stdout", remote: "out", report: { size: stdout.size, sha256, data } };
}

function matchFound(
  spec: ChunkSpec,
  reports: OutputReport[],
  { limits, cwd, isPartial }: OutputLimits,
): MatchedOutput[] {
  const { found } = spec;
  // Names that a node invents are ignored where nothing has to be found.
  if (found === undefined) return [];
  if (reports.length > limits.files) throw createCorruptError(reports[0]!.path, `it is one of ${reports.length} files`);
  const matched = reports.map((report): MatchedOutput => {
    const path = posix.relative(cwd, report.path);
    const fault = findPathFault(report.path);
    if (fault !== undefined) throw createCorruptError(report.path, fault);
    if (!found.some((outputs) => isFoundBy(outputs, path)))
      throw createCorruptError(path, "the job does not declare it");
    return { path, kind: "found", remote: `work/${report.path}`, report };
  });
  const taken = new Set([...spec.outputs, ...matched.map(({ path }) => path)]);
  if (spec.takesStdout && taken.has(STDOUT)) throw createCorruptError(STDOUT, "a file has the name of what is printed");
  for (const { path } of matched)
    if (parentFolders(path).some((folder) => taken.has(folder)))
      throw createCorruptError(path, "one of its parent folders is a file");
  for (const outputs of found)
    rejectWrongCount(isPartial ? { ...outputs, atLeast: 0 } : outputs, spec, matched, limits);
  return matched.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function rejectWrongCount(
  outputs: FoundOutputs,
  spec: ChunkSpec,
  matched: MatchedOutput[],
  limits: Job["limits"],
): void {
  const { written, atLeast, atMost = limits.files } = outputs;
  const files = matched.filter(({ path }) => isFoundBy(outputs, path));
  // A named output may belong to a folder or glob too, and is reported once.
  const count = files.length + spec.outputs.filter((path) => isFoundBy(outputs, path)).length;
  if (files.length > atMost) throw createCorruptError(written, `it has ${files.length} files, more than ${atMost}`);
  if (count < atLeast)
    throw createCorruptError(written, `the node reports ${count} files of it, fewer than ${atLeast}`);
  const bytes = files.reduce((sum, { report }) => sum + report.size, 0);
  rejectLarge(written, bytes, limits.output);
}

function findPathFault(path: string): string | undefined {
  const plain = normalizePath(path);
  if (!plain.ok || plain.path !== path || path.endsWith("/")) return "no file can have this path";
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `its path has more than ${MAX_PATH_BYTES} bytes`;
  const reserved = path.split("/").find((name) => RESERVED_NAME.test(name));
  if (reserved !== undefined) return `no result may lie in ${reserved}`;
  const isLong = path.split("/").some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES);
  return isLong ? `one of its names has more than ${MAX_NAME_BYTES} bytes` : undefined;
}

function rejectLarge(path: string, size: number, limit: number): void {
  if (size <= limit) return;
  const [has, allowed] = formatUnequalBytes(size, limit);
  throw createCorruptError(path, `it has ${has}, more than the ${allowed} allowed`);
}

/** Creates the error for an output that cannot be taken. */
export function createCorruptError(path: string, why: string): MusterError {
  return new MusterError("CORRUPT", `output ${path}: ${why}`);
}

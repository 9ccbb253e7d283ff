import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { readAnyRunStatus } from "../executor/pipeline/anyrunstatus.js";
import {
  isChunkName,
  LOG_STREAMS,
  type LogStream,
  listEarlierLogs,
  locateLog,
} from "../executor/run/record/logfiles.js";
import { rejectSpecialFiles } from "../executor/run/record/specialfiles.js";
import { quote } from "../fleet/quote.js";
import { explainNoRun, findRunDirectory } from "../launch/findrun.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { printFailedLogs } from "./failedlogs.js";
import { followLogs, selectStreams } from "./followlogs.js";
import { takeLastLines } from "./lastlines.js";
import { type LogsOptions, parseTail, rejectConflicts } from "./logsoptions.js";
import { explainMissingLogs, findLastTry } from "./missinglogs.js";
import { printBytes } from "./terminal.js";

/**
 * `muster logs RUN CHUNK`: prints the stdout and then the stderr of a chunk, or only one of them with `--out` or `--err`; those of its
 * last attempt, or with `--try N` those of another one. `-f` prints what a chunk, or all of them, print while they run.
 * `muster logs RUN --failed`: the last lines of all failed chunks. The command of a
 * pipeline step is the chunk `command` of RUN/STEP. On a terminal, escape sequences are shown as text; elsewhere every byte is printed as
 * the chunk wrote it. Returns 0; 3 where output is lost.
 */
export async function logs(
  run: string,
  chunk: string | undefined,
  options: LogsOptions,
  writers: Writers,
): Promise<number> {
  const path = [resolve(run), resolve("runs", run)].find((one) => existsSync(join(one, "logs")));
  if (path === undefined) throw explainNoLogsFolder(run);
  for (const folder of [path, join(path, "logs")]) rejectSpecialFiles(folder);
  rejectConflicts(run, chunk, options);
  if (options.failed) return printFailedLogs(path, options, writers);
  if (chunk !== undefined && !isChunkName(chunk)) throw new UsageError(`logs: "${chunk}" is not the name of a chunk`);
  if (options.follow) {
    const status = await followLogs({ run, path, chunk }, options, writers);
    if (status !== undefined) return status;
  }
  if (chunk === undefined) {
    if (!options.quiet) writers.err(`${run}: no chunk of this run is running`);
    return 0;
  }
  const files = options.try === undefined ? findLogs(path, chunk) : findTryLogs(path, chunk, parseTry(options.try));
  if (files.size === 0) return explainMissingLogs({ run, path, chunk, attempt: options.try }, writers);
  printLogs(chunk, files, options, writers);
  const earlier = options.try === undefined && !options.quiet ? listEarlierLogs(join(path, "logs"), chunk) : [];
  if (earlier.length > 0 && !options.json)
    writers.err(`earlier attempts of ${chunk}: ${earlier.map((number) => `--try ${number}`).join(", ")}`);
  return 0;
}

/** Returns the error for a run without a folder of logs: it has not begun, or there is none of that name. */
function explainNoLogsFolder(run: string): UsageError {
  const path = findRunDirectory(run);
  if (path === undefined || readAnyRunStatus(path, Date.now()).state !== "new")
    return explainNoRun(run, "is neither a run directory nor the name of one in ./runs");
  return new UsageError(`${run}: the run has not begun, so nothing was printed yet`, `muster status ${quote(run)}`);
}

function printLogs(chunk: string, files: Map<LogStream, string>, options: LogsOptions, writers: Writers): void {
  const streams = selectStreams(options).filter((stream) => files.has(stream));
  const tail = parseTail(options);
  const read = (stream: LogStream) => takeLastLines(readFileSync(files.get(stream)!), tail);
  if (options.json) {
    const text = (stream: LogStream) => (streams.includes(stream) ? read(stream).toString("utf8") : "");
    return writers.out(formatJson({ chunk, stdout: text("out"), stderr: text("err") }, 2));
  }
  for (const stream of streams) {
    if (streams.length > 1) writers.err(`== ${stream === "out" ? "stdout" : "stderr"} of ${chunk}`);
    printBytes(read(stream));
  }
}

/** Returns the files with the output of a chunk's last attempt. */
function findLogs(path: string, chunk: string): Map<LogStream, string> {
  return findStreams((stream) => locateLog(path, chunk, stream));
}

/** Returns the files with the output of one attempt of a chunk. */
function findTryLogs(path: string, chunk: string, number: number): Map<LogStream, string> {
  const earlier = findStreams((stream) => locateLog(path, chunk, stream, number));
  return earlier.size === 0 && number === findLastTry(path, chunk) ? findLogs(path, chunk) : earlier;
}

function findStreams(locate: (stream: LogStream) => string): Map<LogStream, string> {
  const files = LOG_STREAMS.map((stream) => [stream, locate(stream)] as const);
  return new Map(files.filter(([, file]) => existsSync(file)));
}

function parseTry(word: string): number {
  if (!/^[1-9]\d{0,8}$/.test(word))
    throw new UsageError(`logs: --try ${word}: is not the number of an attempt`, "The first one is --try 1.");
  return Number(word);
}

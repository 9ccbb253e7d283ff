import { existsSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { type AnyRunStatus, readAnyRunStatus } from "../executor/pipeline/anyrunstatus.js";
import { type DetachedRecord, readDetachedRecord } from "../executor/run/record/detachedrecord.js";
import { findRuns } from "../executor/run/record/runstatus.js";
import { toPrintableText } from "../report/format.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { describeSystemError } from "../schemas/systemerror.js";
import { type BackgroundResult, startInBackground } from "./backgroundprocess.js";
import { handleInterrupt } from "./interrupt.js";
import type { RunCommandOptions } from "./options.js";

/** Options that may be combined with --resume-all: all others are those that each run was started with. */
const OWN_OPTIONS = new Set(["resumeAll", "json", "quiet", "verbose", "color"]);
/** How a run ended that may go on. A run that found no usable node was broken off, too. */
const INTERRUPTED: AnyRunStatus["state"][] = ["interrupted", "stranded"];

interface ResumableRun {
  path: string;
  record: DetachedRecord;
}

/**
 * `muster run --resume-all DIR`: resumes, in the background, the runs in DIR or in DIR/runs that were started detached and interrupted,
 * each with its own options. Returns 0, or 3 where one could not be resumed.
 */
export async function resumeAll(
  file: string | undefined,
  options: RunCommandOptions & { resumeAll: string },
  writers: Writers,
): Promise<number> {
  rejectOtherOptions(file, options);
  const folder = options.resumeAll;
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UsageError(`--resume-all ${folder}: there is no such folder`, "Name a folder of runs, such as ./runs.");
  const runs = findRuns(folder).flatMap((path) => findResumable(path, writers));
  if (runs.length === 0 && !options.quiet && !options.json)
    writers.err(`${folder}: no run was started with --detach and interrupted`);
  const interrupt = handleInterrupt();
  try {
    const results = await Promise.all(runs.map((run) => resume(run, interrupt.signal, options, writers)));
    if (options.json) writers.out(formatJson({ runs: results }, 2));
    return interrupt.exitStatus() ?? (results.every(({ state }) => state === "running") ? 0 : 3);
  } finally {
    interrupt.release();
  }
}

function rejectOtherOptions(file: string | undefined, options: RunCommandOptions): void {
  if (file !== undefined)
    throw new UsageError(
      `--resume-all takes a folder and no file (${file})`,
      "To resume a single run, leave out --resume-all.",
    );
  const other = Object.keys(options).find((name) => !OWN_OPTIONS.has(name));
  if (other !== undefined)
    throw new UsageError(
      `--resume-all and --${other.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} cannot be combined`,
      "Each run is resumed with the options that it was started with.",
    );
}

/** Returns the run in a run directory, where it is to be resumed. One that cannot be read is only named. */
function findResumable(path: string, writers: Writers): ResumableRun[] {
  try {
    const { state } = readAnyRunStatus(path, Date.now());
    const record = INTERRUPTED.includes(state) ? readDetachedRecord(path) : undefined;
    return record === undefined ? [] : [{ path, record }];
  } catch (error) {
    const refusal = describeSystemError(error);
    if (refusal === undefined) throw error;
    writers.err(toPrintableText([`${path}: its journal ${refusal.reason}`]));
    return [];
  }
}

async function resume(
  { path, record }: ResumableRun,
  signal: AbortSignal,
  options: RunCommandOptions,
  writers: Writers,
): Promise<{ path: string } & BackgroundResult> {
  const lines: string[] = [];
  const print = (text: string) => void lines.push(text);
  const start = {
    arguments: record.arguments,
    cwd: existsSync(record.cwd) ? record.cwd : dirname(path),
    as: "resumed" as const,
    beside: path,
    signal,
  };
  const result = await startInBackground(start, { out: print, err: print });
  const name = basename(path);
  if (result.state === "ended" && !options.json)
    writers.err(toPrintableText([`${name}: not resumed, exit ${result.exit}:`, ...lines.map((line) => `    ${line}`)]));
  else if (result.state === "running" && !options.quiet && !options.json)
    writers.out(`${name}: resumed, as process ${result.run.pid}; its log: ${result.run.log}`);
  return { path, ...result };
}

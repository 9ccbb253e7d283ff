import { basename, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type AnyRunStatus, isPipelineRun, readAnyRunStatus } from "../executor/pipeline/anyrunstatus.js";
import { readPipelineSummary } from "../executor/pipeline/pipelinesummary.js";
import { findRuns } from "../executor/run/record/runstatus.js";
import { readSummary } from "../executor/run/record/runsummary.js";
import { requireRunDirectory } from "../launch/findrun.js";
import { judgeRun } from "../launch/runverdict.js";
import { pluralize, toPrintableText } from "../report/format.js";
import { formatPipelineSummary } from "../report/pipelinetext.js";
import { formatRunStatus } from "../report/statustext.js";
import { formatSummary } from "../report/summarytext.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { attachToJob } from "./attachjob.js";
import { attachToPipeline } from "./attachpipeline.js";
import { handleInterrupt } from "./interrupt.js";
import type { CommonOptions } from "./options.js";
import { findOwnResults } from "./performjob.js";
import { exitStatusOfPipeline } from "./pipelinecontext.js";

const PAUSE_MS = 200;
/** The exit status of a run that can be resumed. */
const INTERRUPTED = 130;

/**
 * `muster attach [RUN]`: shows a run as `muster run` does, from its run directory alone, until it ends, and then its summary. Ctrl-C ends
 * only this command. Returns the exit status of the run.
 */
export async function attach(word: string | undefined, options: CommonOptions, writers: Writers): Promise<number> {
  const path = word === undefined ? findOnlyRunningRun() : requireRunDirectory(word);
  const interrupt = handleInterrupt();
  const follow = isPipelineRun(path) ? attachToPipeline : attachToJob;
  try {
    for (;;) {
      const status = readAnyRunStatus(path, Date.now());
      if (status.state !== "running") return printEnd(status, options, writers);
      await follow(path, options, writers, interrupt.signal);
      if (interrupt.signal.aborted) break;
      // It is starting, or another coordinator resumes it.
      await sleep(PAUSE_MS);
    }
  } finally {
    interrupt.release();
  }
  const where = relative(process.cwd(), path) || ".";
  if (!options.quiet)
    writers.err(toPrintableText([`${basename(path)} runs on; to see it again: muster attach ${where}`]));
  return interrupt.exitStatus() ?? INTERRUPTED;
}

/** Prints how a run has ended, and returns the exit status that it had. */
function printEnd(status: AnyRunStatus, options: CommonOptions, writers: Writers): number {
  const { path, state } = status;
  const summary = readSummary(path);
  const pipeline = readPipelineSummary(path);
  const isQuiet = options.quiet === true && state === "complete";
  const print = (document: object, text: string) => {
    if (options.json) writers.out(formatJson(document, 2));
    else if (!isQuiet) writers.out(text);
  };
  if (status.steps !== undefined && pipeline !== undefined && pipeline.state === state) {
    print(pipeline, formatPipelineSummary(pipeline, false));
    return state === "cancelled" ? INTERRUPTED : exitStatusOfPipeline(pipeline, undefined);
  }
  if (summary !== undefined && summary.state === state) {
    print(summary, formatSummary(summary, false, { folder: summary.results ?? findOwnResults(path) }));
    return judgeRun(summary).exitStatus;
  }
  print(status, formatRunStatus(status, Date.now()));
  return exitStatusWithoutSummary(state);
}

/** Returns the exit status for a run whose coordinator could not write a summary. */
function exitStatusWithoutSummary(state: AnyRunStatus["state"]): number {
  if (state === "complete") return 0;
  if (state === "damaged") return 65;
  return state === "interrupted" || state === "cancelled" || state === "new" ? INTERRUPTED : 3;
}

/** Finds the run to attach to where none is named: this folder, or the only run below it that is running. */
function findOnlyRunningRun(): string {
  const running = findRuns(process.cwd()).filter((path) => readAnyRunStatus(path, Date.now()).state === "running");
  if (running.length === 1) return running[0]!;
  if (running.length === 0)
    throw new UsageError("attach: no run is running here", "Name one: muster attach RUN. `muster status` lists them.");
  throw new UsageError(
    `attach: ${pluralize(running.length, "run")} are running here; name one`,
    `For example: muster attach ${relative(process.cwd(), running[0]!)}`,
  );
}

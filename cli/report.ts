import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import { type AnyRunStatus, isPipelineRun, readAnyRunStatus } from "../executor/pipeline/anyrunstatus.js";
import { readPipelineHistory } from "../executor/pipeline/pipelinehistory.js";
import { type RunHistory, readRunHistory } from "../executor/run/record/runhistory.js";
import { findRuns } from "../executor/run/record/runstatus.js";
import { requireRunDirectory } from "../launch/findrun.js";
import { renderHistoryPage } from "../report/historypage.js";
import { bigintToDecimal, buildHistoryDocument, formatHistory } from "../report/historytext.js";
import { renderPipelinePage } from "../report/pipelinepage.js";
import { formatRunStatus } from "../report/statustext.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { describeSystemError } from "../schemas/systemerror.js";
import { explainReadError } from "./explainreaderror.js";
import type { CommonOptions } from "./options.js";
import { serveReport } from "./reportserver.js";
import { ServedRun } from "./servedrun.js";

export interface ReportOptions extends CommonOptions {
  /** Write an HTML page to this file instead of printing. */
  html?: string;
  /** Serve that page: on this port, or true for any free one. */
  serve?: string | true;
}

const MAX_PORT = 65535;

/**
 * `muster report [RUN]`: shows what a run did on each node and slot, from its run directory alone. Returns 0. Rejects with UsageError
 * where there is no such run, and with a MusterError where its journal is damaged or the page cannot be written.
 */
export async function report(word: string | undefined, options: ReportOptions, writers: Writers): Promise<number> {
  const path = word === undefined ? findOnlyRun() : requireRunDirectory(word);
  if (options.serve !== undefined) return serve(path, options, writers);
  try {
    if (isPipelineRun(path)) return await reportPipeline(path, options, writers);
    return reportRun(await readRunHistory(path, Date.now()), options, writers);
  } catch (error) {
    throw explainReadError(error);
  }
}

/** Serves the page of a run or a pipeline until it is interrupted. */
async function serve(path: string, options: ReportOptions, writers: Writers): Promise<number> {
  if (options.html !== undefined || options.json)
    throw new UsageError("--serve excludes --html and --json", "Write the page with --html, or serve it.");
  const port = parsePort(options.serve === true ? "0" : (options.serve ?? "0"));
  const run = new ServedRun(path);
  await run.renderPage();
  return serveReport(run, port, writers);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > MAX_PORT)
    throw new UsageError(`--serve ${text}: it must be a port, 0 to ${MAX_PORT}`);
  return port;
}

function reportRun(history: RunHistory, options: ReportOptions, writers: Writers): number {
  if (options.html !== undefined) writePage(options.html, renderHistoryPage(history));
  if (options.json) writers.out(formatJson(buildHistoryDocument(history), 2, bigintToDecimal));
  else if (options.html === undefined) writers.out(formatHistory(history, options.verbose === true));
  else if (!options.quiet) writers.err(`wrote ${options.html}`);
  return 0;
}

/** Prints the status of the steps and the commands that report on their jobs, or writes a page with all of it. */
async function reportPipeline(path: string, options: ReportOptions, writers: Writers): Promise<number> {
  const { html, json, quiet } = options;
  const status = readAnyRunStatus(path, Date.now());
  if (html !== undefined) writePage(html, renderPipelinePage(await readPipelineHistory(path, Date.now())));
  if (json) writers.out(formatJson(status, 2));
  else if (html === undefined) writers.out(formatPipelineStatus(status));
  else if (!quiet) writers.err(`wrote ${html}`);
  return 0;
}

function formatPipelineStatus(status: AnyRunStatus): string {
  const jobs = (status.steps ?? []).flatMap(({ run }) => (run === undefined ? [] : [run.path]));
  const commands = jobs.map((path) => `  muster report ${relative(process.cwd(), path) || "."}`);
  return [formatRunStatus(status, Date.now()), ...commands].join("\n");
}

/** Finds the run to report on where none is named: this folder, or the only run below it. */
function findOnlyRun(): string {
  const paths = findRuns(process.cwd());
  if (paths.length === 1) return paths[0]!;
  const problem = paths.length === 0 ? "there is no run here" : `there are ${paths.length} runs here`;
  throw new UsageError(
    `report: ${problem}; name one`,
    paths.length === 0 ? undefined : `For example muster report ${relative(process.cwd(), paths.at(-1)!)}.`,
  );
}

function writePage(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such folder" : (describeSystemError(error)?.reason ?? code);
    throw new MusterError("NOT_WRITTEN", `cannot write the page: ${file}: ${reason}`, {
      next: "Name another file with --html.",
    });
  }
}

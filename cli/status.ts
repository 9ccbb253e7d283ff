import { join, resolve } from "node:path";
import { listRunStatuses } from "../executor/pipeline/anyrunstatus.js";
import { findRuns } from "../executor/run/record/runstatus.js";
import { findRunsFolder } from "../launch/findrun.js";
import { toPrintableText } from "../report/format.js";
import { buildRunsDocument, formatRunStatus, formatRunsTable } from "../report/statustext.js";
import type { Writers } from "../report/writers.js";
import { formatJson } from "../schemas/escape.js";
import type { CommonOptions } from "./options.js";

/**
 * `muster status [DIR]`: shows the status of one run, or of all runs in a folder or in its `runs`. It reads only the run directories.
 * Returns 0.
 */
export async function status(
  folderOrRun: string | undefined,
  options: CommonOptions,
  writers: Writers,
): Promise<number> {
  const folder = folderOrRun === undefined ? process.cwd() : findRunsFolder(folderOrRun);
  const paths = findRuns(folder);
  const now = Date.now();
  const runs = listRunStatuses(paths, now);
  const isOne = paths.length === 1 && paths[0] === resolve(folder);
  if (options.json) writers.out(formatJson(isOne ? runs[0] : buildRunsDocument(runs), 2));
  else if (runs.length === 0) writers.out(toPrintableText([`no runs in ${folder}, nor in ${join(folder, "runs")}`]));
  else writers.out(isOne ? formatRunStatus(runs[0]!, now, options.verbose === true) : formatRunsTable(runs, now));
  return 0;
}

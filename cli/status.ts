import { join, resolve } from "node:path";
import { type AnyRunStatus, listJobRuns, listRunStatuses } from "../executor/pipeline/anyrunstatus.js";
import { endLeftPilots } from "../executor/run/pilots/endleftpilots.js";
import { isLeftPilot } from "../executor/run/pilots/leftpilot.js";
import { findRuns } from "../executor/run/record/runstatus.js";
import { Dialer } from "../fleet/connect.js";
import { findRunsFolder } from "../launch/findrun.js";
import { toPrintableText } from "../report/format.js";
import { buildRunsDocument, formatRunStatus, formatRunsTable } from "../report/statustext.js";
import type { Writers } from "../report/writers.js";
import { MusterError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import type { CommonOptions } from "./options.js";
import { findRecordedCluster } from "./recordedinventory.js";

/**
 * `muster status [DIR]`: shows the status of one run, or of all runs in a folder or in its `runs`. It reads only the run directories, unless
 * a run has ended and could not cancel its pilots: that is done now. Returns 0.
 */
export async function status(
  folderOrRun: string | undefined,
  options: CommonOptions,
  writers: Writers,
): Promise<number> {
  const folder = folderOrRun === undefined ? process.cwd() : findRunsFolder(folderOrRun);
  const paths = findRuns(folder);
  const now = Date.now();
  const first = listRunStatuses(paths, now);
  const retried = await Promise.all(first.map((run) => endPilotsOf(run, options, writers)));
  const runs = retried.includes(true) ? listRunStatuses(paths, now) : first;
  const isOne = paths.length === 1 && paths[0] === resolve(folder);
  if (options.json) writers.out(formatJson(isOne ? runs[0] : buildRunsDocument(runs), 2));
  else if (runs.length === 0) writers.out(toPrintableText([`no runs in ${folder}, nor in ${join(folder, "runs")}`]));
  else writers.out(isOne ? formatRunStatus(runs[0]!, now, options.verbose === true) : formatRunsTable(runs, now));
  return 0;
}

/** Cancels the pilots that an ended run has left. Returns whether it has tried. */
async function endPilotsOf(
  { path, leftovers = [] }: AnyRunStatus,
  options: CommonOptions,
  writers: Writers,
): Promise<boolean> {
  if (!leftovers.some(isLeftPilot)) return false;
  const dialer = new Dialer();
  try {
    const find = (inventory: string, name: string) => {
      const cluster = findRecordedCluster(inventory, options.inventory, name);
      return cluster && dialer.engineOf(cluster);
    };
    for (const run of listJobRuns(path))
      for (const { cluster, ids } of await endLeftPilots(run, find))
        if (ids.length > 0 && !options.quiet)
          writers.err(`${cluster}: cancelled ${ids.join(", ")}, which the run had left`);
    return true;
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    writers.err(`the pilots that ${path} has left cannot be cancelled: ${error.message}`);
    return false;
  } finally {
    await dialer.closeEngines();
  }
}

import { listProgramFolders } from "../executor/job/askprogram.js";
import type { Job } from "../executor/job/job.js";
import { loadJob } from "../executor/job/loadjob.js";
import { loadForRun } from "../executor/run/record/ownresults.js";
import { resolveRunPath } from "../executor/run/record/runlock.js";
import { findHealProblems } from "../fleet/healing/healproblems.js";
import { findInventory, type Inventory, selectFleet } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import type { Cluster } from "../fleet/slurm/cluster.js";
import { UsageError } from "../schemas/errors.js";
import type { Source } from "../schemas/source.js";
import { checkProfileLimits } from "./checkprofilelimits.js";

/** A job that was loaded, and the nodes that may work on it. */
export interface LoadedJob {
  inventory: Inventory;
  nodes: Node[];
  /** The clusters that may give it further nodes. */
  clusters: Cluster[];
  job: Job;
  /** What a user should know about the job and healing, one sentence each. */
  notes: string[];
}

/** How a job is loaded to be run. Paths are absolute. */
export interface LaunchSettings {
  /** The inventory; undefined = $MUSTER_INVENTORY, ./inventory.yaml, or this machine alone, which "local" names, too. */
  inventory?: string;
  /** Names, tags and globs of the nodes to use; undefined = all. */
  limit?: string;
  set?: Record<string, string>;
  range?: [bigint, bigint];
  results?: string;
  overwrite?: boolean;
  /** The run directory; undefined = runs/NAME beside the job file. */
  out?: string;
  /** Start a new run beside an older one. */
  fresh: boolean;
}

/**
 * Loads a job to run it, and the inventory. Options are written into the source, so that `createSource` is called for each time that it is
 * loaded. Rejects with InvalidFileError, also for parameters beyond the limits of a node's profile, and with UsageError for options that do not
 * fit the job.
 */
export async function loadForLaunch(createSource: () => Source, settings: LaunchSettings): Promise<LoadedJob> {
  const inventory = findInventory(settings.inventory, process.env, process.cwd());
  const { nodes, clusters } = selectFleet(inventory, settings.limit);
  const { set, range, results, overwrite } = settings;
  const programFolders = listProgramFolders(process.env.PATH);
  const load = (ownResults: ReadonlySet<string>) =>
    loadJob(createSource(), { set, range, results, overwrite, inventory, ownResults, programFolders });
  const job = await loadForRun(load, (one) => resolveRunPath(one, settings.out, settings.fresh));
  if (overwrite && job.results === undefined)
    throw new UsageError("--overwrite needs a folder of results", "Add --results DIR.");
  const { heal, folder } = inventory;
  const healProblems = heal === undefined ? [] : findHealProblems(nodes, heal, folder);
  const notes = [...checkProfileLimits([job], nodes), ...healProblems.map((problem) => `heal: ${problem}`)];
  return { inventory, nodes, clusters, job, notes };
}

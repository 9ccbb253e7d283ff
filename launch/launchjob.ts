import { ratesFilePath } from "../executor/run/record/ratesfile.js";
import { type RunOutcome, runJob } from "../executor/run/run.js";
import type { RunObserver } from "../executor/run/runobserver.js";
import { matchesAnyPattern } from "../fleet/inventory.js";
import { createAdmissionCheck } from "./admissioncheck.js";
import type { LoadedJob } from "./loadforlaunch.js";
import { createRunHealing } from "./runhealing.js";

/** How a loaded job is run. `out`: the run directory; undefined = runs/NAME beside the job file. */
export interface LaunchOptions {
  out: string | undefined;
  fresh: boolean;
  /** Stop the agents of another copy of the run directory, and continue under a new run id. */
  adopt: boolean;
  /** Apply the playbooks that the job needs on nodes that have drifted. */
  provision: boolean;
  /** Fires when the run should be interrupted; the agents keep running. */
  stopSignal: AbortSignal;
  observer: RunObserver;
  /** Called with the name of a node on which another provision is waited for. */
  onWait: (node: string) => void;
}

/**
 * Runs a loaded job on the nodes of its inventory, with their admission and healing, or resumes it. Prints nothing and handles no signals.
 * Rejects as `runJob` does, and with a MusterError where playbooks cannot be loaded.
 */
export async function launchJob(
  { inventory, nodes, clusters, job }: LoadedJob,
  options: LaunchOptions,
): Promise<RunOutcome> {
  const { provision, onWait, ...rest } = options;
  return runJob(job, nodes, {
    ...rest,
    clusters,
    inventory: inventory.file ?? "local",
    isSelected: matchesAnyPattern,
    ratesFile: ratesFilePath(inventory.file),
    verifyNode: await createAdmissionCheck(job, inventory, provision, onWait),
    healing: createRunHealing(inventory),
  });
}

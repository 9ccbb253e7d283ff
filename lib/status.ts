import { type AnyRunStatus, listRunStatuses, readAnyRunStatus } from "../executor/pipeline/anyrunstatus.js";
import { findRuns } from "../executor/run/record/runstatus.js";
import { findRunsFolder, requireRunDirectory } from "../launch/findrun.js";
import { explainSystemError } from "../schemas/systemerror.js";

/**
 * Reads the status of a run of a job or of a pipeline, as `muster status --json` does: from its run directory alone, while it runs and after its
 * coordinator was killed. `run`: a run directory, or the name of one in ./runs. Rejects with UsageError where there is none.
 */
export async function status(run: string): Promise<AnyRunStatus> {
  try {
    return readAnyRunStatus(requireRunDirectory(run), Date.now());
  } catch (error) {
    throw explainSystemError(error);
  }
}

/** Reads the status of each run in `folder`, or in its `runs`, by name. Rejects with UsageError where there is no such folder. */
export async function listRuns(folder = "."): Promise<AnyRunStatus[]> {
  try {
    return listRunStatuses(findRuns(findRunsFolder(folder)), Date.now());
  } catch (error) {
    throw explainSystemError(error);
  }
}

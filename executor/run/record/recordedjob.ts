import { join } from "node:path";
import type { Inventory } from "../../../fleet/inventory.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import { restoreOrigin } from "../../job/joborigin.js";
import { loadJob } from "../../job/loadjob.js";
import type { JournalEntry } from "./journalentry.js";
import { loadForRun } from "./ownresults.js";

/**
 * Loads the job of the run in the directory `path` as it was when the run began; `header` is the first record of its journal. Without an
 * inventory, what depends on it is not checked. Of a queue, it has no tasks yet. Rejects with
 * OTHER_RUN (65) for a run of an older muster, and as loadJob does where its files are gone or have changed.
 */
export async function loadRecordedJob(
  path: string,
  header: Extract<JournalEntry, { e: "run" }>,
  inventory: Inventory | undefined,
): Promise<Job> {
  const { origin, name, results, overwrite } = header;
  if (origin === undefined) throw new MusterError("OTHER_RUN", "an older version of muster started the run");
  const load = (ownResults: ReadonlySet<string>) => {
    const { source, options } = restoreOrigin(origin, join(path, "job.yaml"));
    return loadJob(source, { ...options, name, results, overwrite, inventory, ownResults });
  };
  return loadForRun(load, () => path);
}

import type { Inventory } from "../../../fleet/inventory.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import { SignedAttemptIds } from "../agent/signedids.js";
import { checkForDamage } from "./damage.js";
import { rejectForeignFiles } from "./foreignfiles.js";
import { findIdentityChanges } from "./jobidentity.js";
import type { Journal } from "./journal.js";
import { loadRecordedJob } from "./recordedjob.js";
import type { RunReplay } from "./replay.js";
import { locateResults } from "./resultsfolder.js";
import { type CollectingDirectory, hashSpec, readQueue, rejectDamaged, removeUnjournaledResults } from "./rundir.js";
import { openRunKey } from "./runkey.js";

/** A run whose results can be collected and committed, although nothing of it is started any more. */
export interface ReopenedRun extends CollectingDirectory {
  job: Job;
  ids: SignedAttemptIds;
}

/**
 * Loads the job of an unfinished run from the run directory `path`, and recovers its results, so that further ones can be committed.
 * `journal`: of the run, open for writing; `replay`: its state. Rejects with a MusterError where the job cannot be loaded as it was when
 * the run began, or where results are damaged.
 */
export async function reopenRun(
  path: string,
  journal: Journal,
  replay: RunReplay,
  inventory: Inventory,
): Promise<ReopenedRun> {
  const { header } = replay;
  if (header === undefined) throw new MusterError("OTHER_RUN", "the run has not begun");
  const job = await loadRecordedJob(path, header, inventory);
  readQueue(path, job, new Map(), replay);
  const changes = findIdentityChanges(header, job, header.inputs);
  if (changes.length > 0) throw new MusterError("OTHER_RUN", `its job has changed: ${changes[0]}`);
  const results = locateResults(path, replay.ids.at(-1)!, job, replay);
  await removeUnjournaledResults(path, journal, job, replay, results);
  rejectDamaged(path, await checkForDamage(path, job, replay.committedUnits, results));
  await rejectForeignFiles(job, results, replay, path);
  const nonce = replay.nonces.at(-1) ?? "";
  const spec = hashSpec(job, header.inputs, header.project);
  return {
    path,
    job,
    ids: new SignedAttemptIds({ job, nonce, nonces: replay.nonces, key: openRunKey(path), spec }),
    journal,
    replay,
    results,
    session: replay.lastOpen?.session ?? 1,
    // Nothing is known to have run since the last record.
    elapsedSeconds: () => replay.sessions.at(-1)?.seconds ?? 0,
  };
}

import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "../../../fleet/engine.js";
import { tryLockFile } from "../../../fleet/filelock.js";
import { recordRunEnd } from "../cleanleftovers.js";
import { Journal } from "../record/journal.js";
import type { JournalEntry } from "../record/journalentry.js";
import { RunReplay } from "../record/replay.js";
import { type ClusterEnd, endOpenPilots } from "./endopenpilots.js";
import { isLeftPilot } from "./leftpilot.js";

/**
 * Ends the pilots that the end of a run could not, because their cluster did not answer. Does nothing where a coordinator has the run
 * directory, or where the run is to be resumed. Rejects with JOURNAL_DAMAGED and system errors.
 */
export async function endLeftPilots(
  path: string,
  findEngine: (inventory: string, cluster: string) => Engine | undefined,
): Promise<ClusterEnd[]> {
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "a+");
  if (!tryLockFile(fd)) {
    closeSync(fd);
    return [];
  }
  const replay = new RunReplay();
  const journal = Journal.resume<JournalEntry>(fd, file, (entry) => replay.apply(entry));
  try {
    const { closeEntry } = replay;
    if (closeEntry === undefined || closeEntry.state === "interrupted") return [];
    const ends = await endOpenPilots(replay.pilots, replay.ids, journal, findEngine);
    const left = [
      ...replay.leftovers.filter((one) => !isLeftPilot(one)),
      ...ends.flatMap(({ leftovers }) => leftovers),
    ];
    await recordRunEnd(path, journal, closeEntry, left);
    return ends;
  } finally {
    journal.close();
  }
}

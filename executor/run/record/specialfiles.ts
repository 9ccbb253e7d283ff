import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { MusterError } from "../../../schemas/errors.js";
import { describeNoFile } from "../../../schemas/systemerror.js";

/**
 * Throws RESULTS_DAMAGED (65), with its path, where a pipe, a socket or a device lies directly in a run directory: reading one may wait
 * forever. A run directory that does not exist, or cannot be listed, has none.
 */
export function rejectSpecialFiles(path: string): void {
  for (const entry of listEntries(path)) {
    const file = join(path, entry.name);
    const stat = entry.isFile() || entry.isDirectory() ? undefined : tryStat(file);
    if (stat === undefined || stat.isFile() || stat.isDirectory()) continue;
    throw new MusterError("RESULTS_DAMAGED", `${file} ${describeNoFile(stat)}`, {
      next: "Move it away: a run directory has only files and folders.",
    });
  }
}

function listEntries(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return []; // the next read or write there has the error
  }
}

/** Returns undefined for a link that leads nowhere: reading it fails, and does not wait. */
function tryStat(file: string) {
  try {
    return statSync(file);
  } catch {
    return undefined;
  }
}

import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Files } from "../../../fleet/connection.js";
import { encodeNamePart } from "../../job/chunkids.js";

/** An agent keeps less; a larger file is not its log. */
const MAX_LOG_BYTES = 2 << 20;

/** Where a node's log and its copy in the run directory lie. */
export interface BuildLog {
  files: () => Promise<Files>;
  /** The folder of the run on the node. */
  root: string;
  /** The folder of logs in the run directory. */
  logs: string;
  node: string;
}

/**
 * Saves what a build printed on a node as build-NODE.log in the folder of logs, where the names of a chunk's logs end in .out and .err.
 * The slash in the name of a pilot is encoded. Returns its path; undefined where it cannot be saved. `tail`: its end, in case that the file
 * cannot be read.
 */
export async function saveBuildLog({ files, root, logs, node }: BuildLog, tail: string): Promise<string | undefined> {
  const path = join(logs, `build-${encodeNamePart(node)}.log`);
  const partial = `${path}.part`;
  try {
    rmSync(partial, { force: true });
    try {
      await (await files()).download(`${root}/build.log`, partial, MAX_LOG_BYTES);
    } catch {
      writeFileSync(partial, tail);
    }
    renameSync(partial, path);
    return path;
  } catch {
    return undefined;
  }
}

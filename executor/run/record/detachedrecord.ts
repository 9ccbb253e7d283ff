import { readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { writeFileDurable } from "../../../schemas/filewrites.js";
import { readLastOpen } from "./runlock.js";

const FILE = "detached.json";
const VERSION = 1;

/** How to resume a run that was started detached: the content of detached.json in its run directory. */
export interface DetachedRecord {
  version: number;
  /** The coordinator that wrote this. */
  pid: number;
  host: string;
  /** The words after `muster run` that resume it, and the folder in which they are to be said. */
  arguments: string[];
  cwd: string;
}

/** Records that this process, which has the lock of the run directory `path`, runs detached. It is on disk when this returns. */
export function writeDetachedRecord(path: string, how: Pick<DetachedRecord, "arguments" | "cwd">): void {
  const record: DetachedRecord = { version: VERSION, pid: process.pid, host: hostname(), ...how };
  const mode = statSync(join(path, "journal.ndjson")).mode & 0o666;
  writeFileDurable(join(path, FILE), `${JSON.stringify(record, null, 2)}\n`, mode);
}

/** Returns how to resume a run whose last coordinator ran detached; undefined where it did not, or where that is not known. */
export function readDetachedRecord(path: string): DetachedRecord | undefined {
  const record = readRecord(path);
  const last = record && readLastOpen(path);
  return last !== undefined && record?.pid === last.pid && record.host === last.host ? record : undefined;
}

function readRecord(path: string): DetachedRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(join(path, FILE), "utf8")) as DetachedRecord;
    const isWhole = record.version === VERSION && Array.isArray(record.arguments) && typeof record.cwd === "string";
    return isWhole && record.arguments.every((word) => typeof word === "string") ? record : undefined;
  } catch {
    return undefined;
  }
}

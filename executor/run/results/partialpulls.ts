import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/** The name of a pulled file: the id of its attempt, and which of its outputs it is. */
const PULLED_FILE = /^[\w-]+\.\d+$/;

/** Returns where output `index` of an attempt is pulled to. Attempt ids are unique, so an existing file is the begin of this output. */
export function locatePull(folder: string, attemptId: string, index: number): string {
  return join(folder, `${attemptId}.${index}`);
}

/** Returns how many bytes of an output have arrived in earlier pulls. */
export function countPulledBytes(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** Creates the folder for pulled files, or empties it except for pulled files, which an earlier coordinator left for the next one. */
export function preparePullFolder(folder: string): void {
  if (!existsSync(folder)) mkdirSync(folder);
  for (const name of readdirSync(folder))
    if (!PULLED_FILE.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
}

/** Leaves the pulled files to the next coordinator; without any, the folder is removed. */
export function leavePullFolder(folder: string): void {
  preparePullFolder(folder);
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}

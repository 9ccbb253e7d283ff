import { accessSync, constants, readdirSync, readlinkSync, realpathSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { describeSystemError } from "../../schemas/systemerror.js";
import type { StagedFile } from "./job.js";
import { formatFileName, isUtf8, REPLACEMENT_CHARACTER } from "./project/filename.js";
import { isRunDirectory } from "./project/rundirectory.js";

/** Why a path of a job cannot be staged, as a predicate, and what to do about it. */
export interface PathRefusal {
  ok: false;
  message: string;
  hint?: string;
}

/** Returns the stat of what a path leads to, undefined if there is nothing, or why the system does not show it. */
export function inspectPath(path: string): { ok: true; stat: Stats | undefined } | PathRefusal {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile()) requireReadable(path, stat);
    return { ok: true, stat };
  } catch (error) {
    const refusal = describeSystemError(error);
    if (refusal === undefined) throw error;
    return { ok: false, message: refusal.reason, hint: refusal.hint };
  }
}

/** Most files are readable for all, which saves a system call. Throws the system's error. */
function requireReadable(path: string, { mode }: Stats): void {
  if ((mode & 0o444) !== 0o444) accessSync(path, constants.R_OK);
}

/**
 * Adds the files below `path` of `root`, and follows links, except into a folder that is being read. Run directories are left out.
 * Returns what is wrong; undefined = nothing.
 */
export function collectFiles(root: string, path: string, files: StagedFile[]): PathRefusal | undefined {
  return collect(root, path, [], files);
}

function collect(root: string, path: string, above: string[], files: StagedFile[]): PathRefusal | undefined {
  const folder = join(root, path);
  if (isRunDirectory(folder)) return undefined;
  const listing = listFolder(folder);
  if (!listing.ok) return within(path, listing);
  if (above.includes(listing.real)) return refuse(`contains a link to one of its parent folders (${path})`);
  for (const name of listing.names) {
    const inner = path === "" ? name : `${path}/${name}`;
    const fault = name.includes(REPLACEMENT_CHARACTER) ? findBadName(folder, name) : undefined;
    if (fault !== undefined) return fault;
    const found = inspectPath(join(root, inner));
    if (!found.ok) return within(inner, found);
    const { stat } = found;
    if (stat === undefined) return refuse(`contains a broken link (${inner}${describeLink(join(root, inner))})`);
    if (stat.isFile()) files.push({ source: join(root, inner), path: inner, bytes: stat.size });
    else if (!stat.isDirectory()) return refuse(`contains something that is neither a file nor a folder (${inner})`);
    const deeper = stat.isDirectory() ? collect(root, inner, [...above, listing.real], files) : undefined;
    if (deeper !== undefined) return deeper;
  }
  return undefined;
}

function listFolder(folder: string): { ok: true; real: string; names: string[] } | PathRefusal {
  try {
    return { ok: true, real: realpathSync(folder), names: readdirSync(folder).sort() };
  } catch (error) {
    const refusal = describeSystemError(error);
    if (refusal === undefined) throw error;
    return { ok: false, message: refusal.reason, hint: refusal.hint };
  }
}

function within(path: string, { message, hint }: PathRefusal): PathRefusal {
  return { ok: false, message: `contains ${path}, which ${message}`, hint };
}

function refuse(message: string): PathRefusal {
  return { ok: false, message };
}

/** Finds the name that was decoded as `name` and is not UTF-8; undefined if the name is what it looks like. */
function findBadName(folder: string, name: string): PathRefusal | undefined {
  const names = readdirSync(folder, { encoding: "buffer" });
  const bytes = names.find((one) => one.toString("utf8") === name && !isUtf8(one));
  if (bytes === undefined) return undefined;
  const message = `contains a file whose name is not valid UTF-8 (${formatFileName(bytes)} in ${folder})`;
  return { ok: false, message, hint: "rename it; convmv shows and changes the encoding of names" };
}

function describeLink(path: string): string {
  try {
    return ` leads to ${readlinkSync(path)}`;
  } catch {
    return "";
  }
}

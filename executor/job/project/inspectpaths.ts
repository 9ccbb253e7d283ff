import { closeSync, lstatSync, openSync, type Stats } from "node:fs";
import { basename, join } from "node:path";
import type { LeftOutFile, ProjectFile } from "./project.js";
import { readProjectLink } from "./projectlink.js";
import { refuseUnreadable } from "./refusal.js";

/** The largest file that is copied to nodes. */
export const MAX_FILE_BYTES = 4 << 20;

const LINK_MODE = 0o120000;
/** Files of secrets by convention, except for templates, which are there to be published. */
const ENV_FILE = /^\.env(\..+)?$/;
const ENV_TEMPLATE = /\.(example|sample|template|tmpl|dist)$/;
/** Learned rates and drains, a file of them that was not finished, and the log of a run in the background that is starting. */
const OWN_FILE = /^\.muster-((rates|hashes|drain|heal)\.json(\.\d+(\.part)?|\.partial)?|heal\.lock|[0-9a-f]{12}\.log)$/;

/** Results that a run had not published when it ended. */
const PARTIAL_FILE = /(^|\/)\.muster-[^/]+\.partial(\/|$)/;

/** Modules that Python compiled. It makes them again. */
const BYTECODE_FILE = /(^|\/)__pycache__\/[^/]+\.pyc$/;

/** Looks at each of `paths` of a project. `root` has no links in it. Throws a ProjectRefusal for a file that cannot be read. */
export function inspectPaths(root: string, paths: readonly string[]): { files: ProjectFile[]; leftOut: LeftOutFile[] } {
  const files: ProjectFile[] = [];
  const leftOut: LeftOutFile[] = [];
  for (const path of paths) {
    if (OWN_FILE.test(basename(path)) || BYTECODE_FILE.test(path) || PARTIAL_FILE.test(path)) continue;
    const stat = readStat(join(root, path), path);
    if (stat === undefined) continue;
    const found = inspectFile(root, path, stat);
    if (found !== undefined) "why" in found ? leftOut.push(found) : files.push(found);
  }
  return { files, leftOut };
}

/** Undefined for a folder, where git lists a file that became one, and for what is no file at all. */
function inspectFile(root: string, path: string, stat: Stats): ProjectFile | LeftOutFile | undefined {
  const isLink = stat.isSymbolicLink();
  if (!isLink && !stat.isFile()) return undefined;
  const name = basename(path);
  if (ENV_FILE.test(name) && !ENV_TEMPLATE.test(name)) return { path, why: "env file", sizeBytes: stat.size };
  const mtimeSeconds = Math.floor(stat.mtimeMs / 1000);
  if (isLink) {
    const target = readProjectLink(root, path);
    if (target === undefined) return { path, why: "leads out of the project" };
    return { path, mode: LINK_MODE, sizeBytes: Buffer.byteLength(target), mtimeSeconds, target };
  }
  if (stat.size > MAX_FILE_BYTES) return { path, why: "over 4 MB", sizeBytes: stat.size };
  rejectUnreadable(root, path, stat);
  return { path, mode: stat.mode & 0o100 ? 0o755 : 0o644, sizeBytes: stat.size, mtimeSeconds };
}

/** Undefined for what is gone. */
function readStat(absolute: string, path: string): Stats | undefined {
  try {
    return lstatSync(absolute, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    return refuseUnreadable(path, error);
  }
}

/** Most files are readable for all, which saves opening them. */
function rejectUnreadable(root: string, path: string, stat: Stats): void {
  if ((stat.mode & 0o444) === 0o444) return;
  try {
    closeSync(openSync(join(root, path), "r"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") refuseUnreadable(path, error);
  }
}

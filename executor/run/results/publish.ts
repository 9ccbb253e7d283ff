import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { fsyncFile, writeAll } from "../../../schemas/filewrites.js";
import { failpoint } from "../failpoint.js";
import type { MatchedOutput } from "./matchoutputs.js";
import { moveOver } from "./moveover.js";

/** A verified output without its final name: its bytes, or the fsynced file that they were pulled into. */
export interface VerifiedOutput {
  /** As the chunk's spec has it. */
  path: string;
  kind: MatchedOutput["kind"];
  sha256: string;
  size: number;
  content: { bytes: Buffer } | { pulled: string };
}

/** An output and its final name, relative to results/. */
export interface Publication {
  target: string;
  output: VerifiedOutput;
}

/**
 * Gives the outputs of a batch their final names under `results`. When it resolves, files and names are safe on disk. Existing files are
 * replaced: according to the journal their chunks were never committed. `partial`: a folder for files without their final names.
 */
export async function publish(results: string, partial: string, batch: Publication[]): Promise<void> {
  if (batch.length === 0) return;
  const written = await writePartials(batch, partial);
  failpoint("written");
  const folders = new Set<string>();
  batch.forEach(({ target }, index) => {
    const final = join(results, target);
    makeFolders(results, dirname(target), folders);
    // An existing file was never committed. It may look right without being on disk, so it is always replaced.
    moveOver(written[index]!, final);
  });
  await syncFolders(folders);
}

/** Returns a file for each output, in `partial` and fsynced: the one that it was pulled into, or a new one. */
export async function writePartials(batch: readonly Publication[], partial: string): Promise<string[]> {
  const descriptors: number[] = [];
  const written = batch.map(({ output }, index) => {
    if ("pulled" in output.content) return output.content.pulled;
    const temporary = join(partial, `publish-${index}`);
    const fd = openSync(temporary, "w", 0o644);
    descriptors.push(fd);
    writeNamed(fd, temporary, output.content.bytes);
    return temporary;
  });
  await syncAll(descriptors);
  return written;
}

/** Errors of write(2) do not name the file, and without a name they would be taken for those of the run directory. */
function writeNamed(fd: number, path: string, bytes: Buffer): void {
  try {
    writeAll(fd, bytes);
  } catch (error) {
    throw Object.assign(error as NodeJS.ErrnoException, { path });
  }
}

/** Resolves when the names in these folders are on disk. */
export function syncFolders(folders: Iterable<string>): Promise<void> {
  return syncAll([...folders].map((folder) => openSync(folder, "r")));
}

/** Creates the folder `path` below `root`, and adds it and its parents up to `root` to `changed`. */
export function makeFolders(root: string, path: string, changed: Set<string>): void {
  const folder = path === "." ? root : join(root, path);
  mkdirSync(folder, { recursive: true });
  for (let at = folder; !changed.has(at); at = dirname(at)) {
    changed.add(at);
    if (at === root) break;
  }
}

async function syncAll(descriptors: number[]): Promise<void> {
  try {
    await Promise.all(descriptors.map((fd) => fsyncFile(fd)));
  } finally {
    for (const fd of descriptors) closeSync(fd);
  }
}

import { closeSync, fsync, mkdirSync, openSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { failpoint } from "../failpoint.js";
import { writeAll } from "../record/journal.js";

const fsyncFile = promisify(fsync);

/** A verified output on its way to its final name: its bytes, or the file (fsynced) that they were pulled into. */
export interface VerifiedOutput {
  path: string;
  sha256: string;
  size: number;
  content: { bytes: Buffer } | { pulled: string };
}

/** An output with the name that it gets, relative to results/. */
export interface Publication {
  target: string;
  output: VerifiedOutput;
}

/**
 * Gives verified outputs their final names under `results`, all of a batch together: when it resolves, files and names are on
 * disk. A name that is taken is replaced only here, where the journal has said that its chunk was not committed.
 * `partial` is a folder on the same file system.
 */
export async function publish(results: string, partial: string, batch: Publication[]): Promise<void> {
  if (batch.length === 0) return;
  const descriptors: number[] = [];
  const written = batch.map(({ output }, index) => {
    if ("pulled" in output.content) return output.content.pulled;
    const temporary = join(partial, `publish-${index}`);
    const fd = openSync(temporary, "w", 0o644);
    descriptors.push(fd);
    writeAll(fd, output.content.bytes);
    return temporary;
  });
  await syncAll(descriptors);
  failpoint("written");
  const folders = new Set<string>();
  batch.forEach(({ target }, index) => {
    const final = join(results, target);
    makeFolders(results, dirname(target), folders);
    // What is there was never committed. It may look right and not be on disk, so it is replaced whatever it holds.
    renameSync(written[index]!, final);
  });
  await syncAll([...folders].map((folder) => openSync(folder, "r")));
}

/** Makes the folders of `path` below `root`, and notes all of them as changed. */
function makeFolders(root: string, path: string, changed: Set<string>): void {
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

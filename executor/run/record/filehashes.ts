import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { setImmediate as turn } from "node:timers/promises";
import type { Job, StagedFile } from "../../job/job.js";
import type { HashMemory } from "./hashmemory.js";

/** Content of a file that is to be staged. */
export interface FileContent {
  sha256: string;
  sizeBytes: number;
  /** Mode of the staged copy: executable where the source is. */
  mode: number;
}

/** How many files are hashed at the same time. */
const MAX_CONCURRENT_HASHES = 8;
/** Files up to this size are read at once, which takes a tenth of the time of asynchronous reads. */
const SMALL_FILE_BYTES = 64 << 10;
/** Two buffers of this size take half of the time of a stream, which allocates memory for each of its pieces. */
const BUFFER_BYTES = 512 << 10;

/**
 * Returns the content of every file that a job stages, by its path on this machine. Reads each file once, and not at all where `memory`
 * has its hash.
 */
export async function hashStagedFiles(job: Job, memory?: HashMemory): Promise<Map<string, FileContent>> {
  const contents = new Map<string, FileContent>();
  let batch: StagedFile[] = [];
  const flush = async () => {
    const found = await Promise.all(batch.map(({ source }) => memory?.recall(source, hashFile) ?? hashFile(source)));
    for (const [index, file] of batch.entries()) contents.set(file.source, found[index]!);
    batch = [];
    await turn();
  };
  const seen = new Set<string>();
  for (const file of job.stagedFiles()) {
    if (seen.has(file.source)) continue;
    seen.add(file.source);
    batch.push(file);
    if (batch.length === MAX_CONCURRENT_HASHES) await flush();
  }
  await flush();
  memory?.save();
  return contents;
}

/**
 * Returns the SHA-256 of each staged file that is not a part of the project, by its path on nodes, as the run directory records it.
 * `isInProject`: whether the project has the file at a path that is relative to the job file.
 */
export function hashInputs(
  job: Job,
  contents: ReadonlyMap<string, FileContent>,
  isInProject: (path: string) => boolean,
): Record<string, string> {
  const inputs: Record<string, string> = {};
  for (const file of job.stagedFiles())
    if (!isInProject(file.path)) inputs[file.path] = contents.get(file.source)!.sha256;
  return inputs;
}

/** Returns the content of one file of any size. */
export async function hashFile(path: string): Promise<FileContent> {
  const hash = createHash("sha256");
  const { size, mode } = statSync(path);
  if (size <= SMALL_FILE_BYTES) hash.update(readFileSync(path));
  else await readThrough(path, (bytes) => hash.update(bytes));
  return { sha256: hash.digest("hex"), sizeBytes: size, mode: mode & 0o111 ? 0o755 : 0o644 };
}

/** Passes the bytes of a file to `take`, in order, while the next ones are being read. They are valid during the call only. */
async function readThrough(path: string, take: (bytes: Buffer) => void): Promise<void> {
  const file = await open(path);
  try {
    let [empty, full] = [Buffer.allocUnsafeSlow(BUFFER_BYTES), Buffer.allocUnsafeSlow(BUFFER_BYTES)];
    let reading = file.read(empty, 0, BUFFER_BYTES);
    for (;;) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) return;
      [empty, full] = [full, empty];
      reading = file.read(empty, 0, BUFFER_BYTES);
      take(full.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

import { createHash } from "node:crypto";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import type { Job, StagedFile } from "../../job/job.js";

/** What a file to be staged contains. */
export interface FileContent {
  sha256: string;
  sizeBytes: number;
  /** Mode of the staged copy: read-only, executable where the source is. */
  mode: number;
}

/** Files hashed at once. */
const MAX_CONCURRENT_HASHES = 8;
/** Files up to this size (bytes) are read in one go: a stream of one costs ten times as much. */
const SMALL_FILE_BYTES = 64 << 10;

/** The content of every file that a job stages, by its path here. Each file is read once. */
export async function hashStagedFiles(job: Job): Promise<Map<string, FileContent>> {
  const contents = new Map<string, FileContent>();
  let batch: StagedFile[] = [];
  const flush = async () => {
    const found = await Promise.all(batch.map((file) => hashFile(file.source)));
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
  return contents;
}

/** Staged path -> SHA-256: what a run directory remembers of its inputs. */
export function inputHashes(job: Job, contents: Map<string, FileContent>): Record<string, string> {
  const inputs: Record<string, string> = {};
  for (const file of job.stagedFiles()) inputs[file.path] = contents.get(file.source)!.sha256;
  return inputs;
}

/** The content of one file, of any size. */
export async function hashFile(path: string): Promise<FileContent> {
  const hash = createHash("sha256");
  const { size, mode } = statSync(path);
  if (size <= SMALL_FILE_BYTES) hash.update(readFileSync(path));
  else for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer);
  return { sha256: hash.digest("hex"), sizeBytes: size, mode: mode & 0o111 ? 0o555 : 0o444 };
}

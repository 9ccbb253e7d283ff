import { type BigIntStats, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Beside run directories: later runs read it, too. */
const FILE_NAME = ".muster-hashes.json";
/** To hash a smaller file takes hardly longer than to look it up. */
const MIN_FILE_BYTES = 1 << 20;
const MAX_FILES = 10_000;
/** A file that was written so shortly before it was hashed may be written again within one tick of its file system's clock. */
const MIN_AGE_MS = 2000;
const PRIVATE_MODE = 0o600;

/** What a file contains. `mode`: of its staged copy. */
interface HashedContent {
  sha256: string;
  sizeBytes: number;
  mode: number;
}

/** A file as it was when it was hashed. `at`: when that began, in Unix time. */
interface HashedFile {
  stamp: string;
  sha256: string;
  at: number;
}

/**
 * The hashes of large files that have not changed since an earlier run: by device, inode, size, mtime and ctime. A file that was
 * hashed in the future (the clock went back since), or just after it was written, is hashed again. A damaged or missing memory is empty,
 * and one that cannot be written is not kept.
 */
export class HashMemory {
  private readonly path: string;
  private readonly files: Map<string, HashedFile>;
  private hasChanged = false;

  /** `runPath`: the run directory. */
  constructor(
    runPath: string,
    private readonly nowMs: () => number = Date.now,
  ) {
    this.path = join(dirname(runPath), FILE_NAME);
    this.files = readMemory(this.path);
  }

  /** Returns the content of the file at an absolute path: as it is remembered, or as `hash` reads it. */
  async recall(path: string, hash: (path: string) => Promise<HashedContent>): Promise<HashedContent> {
    const [status, at] = [statSync(path, { bigint: true }), this.nowMs()];
    if (status.size < MIN_FILE_BYTES) return hash(path);
    const known = this.files.get(path);
    if (known !== undefined && known.stamp === stampOf(status) && isOldEnough(status, known.at) && known.at <= at)
      return { sha256: known.sha256, sizeBytes: Number(status.size), mode: status.mode & 0o111n ? 0o755 : 0o644 };
    const content = await hash(path);
    const isSame = stampOf(statSync(path, { bigint: true })) === stampOf(status);
    this.files.delete(path);
    if (isSame) this.files.set(path, { stamp: stampOf(status), sha256: content.sha256, at });
    this.hasChanged = true;
    return content;
  }

  /** Writes what has changed. Of more than 10,000 files those that were hashed last are kept. */
  save(): void {
    if (!this.hasChanged) return;
    const partial = `${this.path}.${process.pid}.part`;
    try {
      writeFileSync(partial, JSON.stringify({ files: [...this.files].slice(-MAX_FILES) }), { mode: PRIVATE_MODE });
      renameSync(partial, this.path);
    } catch {
      rmSync(partial, { force: true });
    }
  }
}

function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
}

function isOldEnough({ mtimeMs, ctimeMs }: BigIntStats, hashedAtMs: number): boolean {
  return Math.max(Number(mtimeMs), Number(ctimeMs)) + MIN_AGE_MS <= hashedAtMs;
}

function readMemory(path: string): Map<string, HashedFile> {
  try {
    const { files } = JSON.parse(readFileSync(path, "utf8")) as { files: [string, HashedFile][] };
    return new Map(files.filter(isHashedFile));
  } catch {
    return new Map();
  }
}

function isHashedFile([path, file]: [string, HashedFile]): boolean {
  return (
    typeof path === "string" &&
    typeof file.stamp === "string" &&
    /^[0-9a-f]{64}$/.test(file.sha256) &&
    Number.isFinite(file.at)
  );
}

import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { ConnectionError } from "./connectionerror.js";

const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
const FILE_MODE = 0o644;
const READ_BLOCK_BYTES = 1 << 20;

/** Opens the local file of a download. `sizeBytes`: of the file that is copied. */
export type OpenTarget = (sizeBytes: number) => Promise<DownloadTarget>;

/** A local file that a download writes, block after block, with the SHA-256 of all of it. */
export class DownloadTarget {
  private readonly hash: Hash = createHash("sha256");
  private bytes = 0;

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly keepsPart: boolean,
  ) {}

  /** Creates the file, which must not exist. It is removed if the download fails. */
  static async create(path: string): Promise<DownloadTarget> {
    return new DownloadTarget(path, await open(path, "wx", FILE_MODE), false);
  }

  /**
   * Opens the file, and keeps the bytes that it has: the download continues behind them. A file with more than `sizeBytes` is downloaded again.
   * What has arrived is kept if the connection breaks; after other errors the file is removed.
   */
  static async resume(path: string, sizeBytes: number): Promise<DownloadTarget> {
    const target = new DownloadTarget(path, await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, FILE_MODE), true);
    try {
      if ((await target.file.stat()).size > sizeBytes) await target.file.truncate();
      await target.hashPart();
      return target;
    } catch (error) {
      await target.abandon(error);
      throw error;
    }
  }

  /** How many bytes the file has. */
  get size(): number {
    return this.bytes;
  }

  /** Appends a block, which may be used again then. */
  async write(block: Buffer): Promise<void> {
    // unlike write(), writeFile() writes the whole block even if the disk is nearly full
    const written = this.file.writeFile(block);
    written.catch(() => {});
    this.hash.update(block);
    await written;
    this.bytes += block.length;
  }

  /** Resolves with size and SHA-256 of the file when it is on disk. */
  async finish(): Promise<{ size: number; sha256: string }> {
    await this.file.sync();
    await this.file.close();
    return { size: this.bytes, sha256: this.hash.digest("hex") };
  }

  /** Closes the file after an error, and removes it unless its bytes are of use to the next download. Never rejects. */
  async abandon(error: unknown): Promise<void> {
    await this.file.close().catch(() => {});
    if (!(this.keepsPart && isConnectionLost(error))) await rm(this.path, { force: true }).catch(() => {});
  }

  private async hashPart(): Promise<void> {
    const block = Buffer.allocUnsafe(READ_BLOCK_BYTES);
    for (;;) {
      const { bytesRead } = await this.file.read(block, 0, block.length);
      if (bytesRead === 0) return;
      this.hash.update(block.subarray(0, bytesRead));
      this.bytes += bytesRead;
    }
  }
}

function isConnectionLost(error: unknown): boolean {
  return error instanceof ConnectionError && (error.code === "LOST" || error.code === "TIMEOUT");
}

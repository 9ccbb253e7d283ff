import { randomBytes } from "node:crypto";
import { formatUnequalBytes } from "../../schemas/bytecount.js";
import type { FileStat, Files } from "../connection.js";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import { DownloadTarget, type OpenTarget } from "../downloadtarget.js";
import { Semaphore } from "../semaphore.js";
import { BLOCK_BYTES, BlockPool, splitIntoBlocks } from "../transfer/blocks.js";
import { runInWindow, StalledError } from "../transfer/requestwindow.js";
import { openUploadSource, type UploadSource } from "../transfer/uploadsource.js";
import { UploadWindow } from "../transfer/uploadwindow.js";
import type { FileAnswer, RelayClient } from "./relayclient.js";

/** How many uploads of one block are in flight: twice what the relay serves at once, so that it never waits for the next. */
const MAX_SMALL_UPLOADS = 8;

export interface FileTimeouts {
  /** For one request. */
  requestSeconds: number;
  /** For a file transfer without progress. */
  stallSeconds: number;
}

/** Files that a relay reaches. templates/muster_relay/files.py describes the requests. */
export class RelayFiles implements Files {
  private readonly uploadWindow = new UploadWindow();
  /** How long these take says nothing about the link, because they end with an fsync. */
  private readonly smallUploads = new Semaphore(MAX_SMALL_UPLOADS);

  constructor(
    private readonly node: string,
    private readonly client: RelayClient,
    private readonly timeouts: FileTimeouts,
  ) {}

  async home(): Promise<string> {
    const where = this.where("look at", "~");
    const { path } = (await this.request(where, { op: "home" })).header;
    if (typeof path === "string" && path.startsWith("/")) return path;
    throw new ConnectionError("FILE", where, "the home folder is not known");
  }

  async stat(path: string): Promise<FileStat | undefined> {
    try {
      const where = this.where("look at", path);
      return statOf(where, (await this.request(where, { op: "stat", path })).header);
    } catch (error) {
      if (error instanceof ConnectionError && error.code === "MISSING") return undefined;
      throw error;
    }
  }

  async makeFolder(path: string, mode: number): Promise<void> {
    await this.request(this.where("make folder", path), { op: "makeFolder", path, mode });
  }

  async free(path: string): Promise<number | undefined> {
    const { bytes } = (await this.request(this.where("look at", path), { op: "free", path })).header;
    return isSize(bytes) ? bytes : undefined;
  }

  async upload(local: string | Buffer, remote: string, mode: number): Promise<void> {
    const source = await openUploadSource(local);
    const path = `${remote}.${randomBytes(6).toString("hex")}.part`;
    const where = this.where("write", remote);
    try {
      const size = await source.size();
      if (size > BLOCK_BYTES) return await this.uploadBlocks(source, size, where, { path, mode, target: remote });
      const block = await readBlock(source, where, Buffer.allocUnsafe(size), 0);
      await this.smallUploads.run(() => this.request(where, { op: "put", path, mode, target: remote }, block));
    } finally {
      await source.close();
    }
  }

  download(remote: string, local: string, limit: number): Promise<{ size: number; sha256: string }> {
    return this.copy(remote, limit, () => DownloadTarget.create(local));
  }

  resumeDownload(remote: string, local: string, limit: number): Promise<{ size: number; sha256: string }> {
    return this.copy(remote, limit, (size) => DownloadTarget.resume(local, size));
  }

  private async uploadBlocks(
    source: UploadSource,
    size: number,
    where: NodeStep,
    { path, mode, target }: { path: string; mode: number; target: string },
  ): Promise<void> {
    const handle = this.client.takeNumber();
    const pool = new BlockPool();
    const sendBlock = async (offset: number, length: number) => {
      const block = await readBlock(source, where, pool.take(length), offset);
      await this.client.request(where, { op: "write", handle, offset }, block);
      pool.release(block);
    };
    const window = this.uploadWindow;
    const writes = function* () {
      for (const [offset, length] of splitIntoBlocks(size)) yield () => window.run(() => sendBlock(offset, length));
    };
    try {
      await this.request(where, { op: "create", path, handle });
      await runInWindow(writes(), () => {}, this.timeouts.stallSeconds);
      await this.request(where, { op: "finish", handle, mode, target });
    } catch (error) {
      const explained = explainStall(where, error);
      const abandoned = this.request(where, { op: "abandon", handle }).catch(() => {});
      // A node that does not answer is not waited for again.
      if (!(explained instanceof ConnectionError && explained.code === "TIMEOUT")) await abandoned;
      throw explained;
    }
  }

  private async copy(remote: string, limit: number, openTarget: OpenTarget) {
    const where = this.where("read", remote);
    const handle = this.client.takeNumber();
    try {
      const { size } = (await this.request(where, { op: "open", path: remote, handle })).header;
      if (!isSize(size)) throw new ConnectionError("FILE", where, "its size is not known");
      if (size > limit) {
        const [has, allowed] = formatUnequalBytes(size, limit);
        throw new ConnectionError("FILE", where, `it has ${has}, more than the ${allowed} allowed`);
      }
      const target = await openTarget(size);
      try {
        await this.copyBlocks(target, size, where, handle);
        return await target.finish();
      } catch (error) {
        const explained = explainStall(where, error);
        await target.abandon(explained);
        throw explained;
      }
    } finally {
      this.request(where, { op: "close", handle }).catch(() => {});
    }
  }

  /** Copies what the target does not have yet. */
  private async copyBlocks(target: DownloadTarget, size: number, where: NodeStep, handle: number): Promise<void> {
    const { client } = this;
    const begin = target.size;
    const readBlockOf = async (offset: number, length: number) => {
      const { data } = await client.request(where, { op: "read", handle, offset, length });
      if (data.length === length) return data;
      throw new ConnectionError("FILE", where, "it became shorter while it was being read");
    };
    const reads = function* () {
      for (const [offset, length] of splitIntoBlocks(size - begin)) yield () => readBlockOf(begin + offset, length);
    };
    await runInWindow(reads(), (block) => target.write(block), this.timeouts.stallSeconds);
  }

  private request(where: NodeStep, header: object, data?: Buffer): Promise<FileAnswer> {
    return this.client.request(where, header, data, this.timeouts.requestSeconds);
  }

  private where(action: string, path: string): NodeStep {
    return { node: this.node, step: `${action} ${path}` };
  }
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function statOf(where: NodeStep, { kind, size, mode }: Record<string, unknown>): FileStat {
  const known = (["file", "folder", "link", "other"] as const).find((one) => one === kind);
  if (known !== undefined && isSize(size) && isSize(mode)) return { kind: known, size, mode };
  throw new ConnectionError("FILE", where, "the relay does not say what it is");
}

/** Fills a block of an upload from `offset`. */
async function readBlock(source: UploadSource, where: NodeStep, block: Buffer, offset: number): Promise<Buffer> {
  if ((await source.read(block, block.length, offset)) === block.length) return block;
  throw new ConnectionError("FILE", where, "the local file became shorter during the upload");
}

function explainStall(where: NodeStep, error: unknown): unknown {
  return error instanceof StalledError ? new ConnectionError("TIMEOUT", where, error.message) : error;
}

import { createHash } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import type { Stats } from "ssh2";
import { formatUnequalBytes } from "../../schemas/bytecount.js";
import { BlockPool, splitIntoBlocks } from "./blocks.js";
import { runInWindow, StalledError } from "./requestwindow.js";
import type { SftpRequests } from "./sftprequests.js";

/** Copies a regular file of the node into a new local file, see `Files.download`. Removes the local file if it fails. */
export async function download(
  requests: SftpRequests,
  remote: string,
  local: string,
  limit: number,
  stall: number,
): Promise<{ size: number; sha256: string }> {
  const size = await statRegularFile(requests, remote, limit);
  const handle = await requests.request<Buffer>("read", remote, (sftp, done) => sftp.open(remote, "r", done));
  try {
    return await writeLocalFile(requests, { remote, handle, size }, local, stall);
  } finally {
    requests.sftp.close(handle, () => {});
  }
}

/** Checks the file before opening it: opening a FIFO would block forever, and a symbolic link may point anywhere. Returns its size. */
async function statRegularFile(requests: SftpRequests, remote: string, limit: number): Promise<number> {
  const stats = await requests.lstat("read", remote);
  if (!stats.isFile()) throw requests.createError("FILE", "read", remote, "not a regular file");
  if (stats.size > limit) {
    const [has, allowed] = formatUnequalBytes(stats.size, limit);
    throw requests.createError("FILE", "read", remote, `it has ${has}, more than the ${allowed} allowed`);
  }
  return stats.size;
}

interface RemoteFile {
  remote: string;
  handle: Buffer;
  size: number;
}

async function writeLocalFile(requests: SftpRequests, source: RemoteFile, local: string, stall: number) {
  const file = await open(local, "wx", 0o644);
  try {
    const sha256 = await copyBlocks(requests, source, file, stall);
    await file.sync();
    await file.close();
    return { size: source.size, sha256 };
  } catch (error) {
    await file.close().catch(() => {});
    await rm(local, { force: true });
    throw error instanceof StalledError ? requests.createError("TIMEOUT", "read", source.remote, error.message) : error;
  }
}

async function copyBlocks(
  requests: SftpRequests,
  source: RemoteFile,
  file: FileHandle,
  stall: number,
): Promise<string> {
  const { size } = source;
  const pool = new BlockPool();
  const hash = createHash("sha256");
  const unchanged = checkUnchanged(requests, source);
  unchanged.catch(() => {});
  const reads = function* () {
    for (const [offset, length] of splitIntoBlocks(size))
      yield () => readBlock(requests, source, offset, pool.take(length));
  };
  await runInWindow(
    reads(),
    async (block) => {
      hash.update(block);
      await file.writeFile(block); // unlike write(), it writes the whole block even if the disk is nearly full
      pool.release(block);
    },
    stall,
  );
  await unchanged;
  return hash.digest("hex");
}

/** Checks that the opened file is the one that was checked before. Sent together with the first reads, to save a round trip. */
async function checkUnchanged(requests: SftpRequests, { remote, handle, size }: RemoteFile): Promise<void> {
  const stats = await requests.request<Stats>("read", remote, (sftp, done) => sftp.fstat(handle, done));
  if (stats.isFile() && stats.size === size) return;
  throw requests.createError("FILE", "read", remote, "it changed while it was being read");
}

/** Fills `block` from `offset` of the file. A server may send fewer bytes than requested. `runInWindow` applies the timeout. */
async function readBlock(requests: SftpRequests, { remote, handle }: RemoteFile, offset: number, block: Buffer) {
  const { length } = block;
  for (let have = 0; have < length; ) {
    const got = await new Promise<number>((resolve, reject) => {
      requests.sftp.read(handle, block, have, length - have, offset + have, (error, bytes) => {
        if (error) reject(requests.toConnectionError("read", remote, error));
        else resolve(bytes);
      });
    });
    if (got === 0) throw requests.createError("FILE", "read", remote, "it became shorter while it was being read");
    have += got;
  }
  return block;
}

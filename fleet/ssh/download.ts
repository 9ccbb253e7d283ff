import type { Stats } from "ssh2";
import { formatUnequalBytes } from "../../schemas/bytecount.js";
import type { DownloadTarget, OpenTarget } from "../downloadtarget.js";
import { BlockPool, splitIntoBlocks } from "../transfer/blocks.js";
import { runInWindow, StalledError } from "../transfer/requestwindow.js";
import type { SftpRequests } from "./sftprequests.js";

/** Copies a regular file of the node into a local file, see `Files.download` and `Files.resumeDownload`. */
export async function download(
  requests: SftpRequests,
  remote: string,
  openTarget: OpenTarget,
  limit: number,
  stall: number,
): Promise<{ size: number; sha256: string }> {
  const size = await statRegularFile(requests, remote, limit);
  const target = await openTarget(size);
  try {
    await copyFile(requests, { remote, size }, target, stall);
    return await target.finish();
  } catch (error) {
    const explained =
      error instanceof StalledError ? requests.createError("TIMEOUT", "read", remote, error.message) : error;
    await target.abandon(explained);
    throw explained;
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

async function copyFile(
  requests: SftpRequests,
  { remote, size }: Omit<RemoteFile, "handle">,
  target: DownloadTarget,
  stall: number,
): Promise<void> {
  const handle = await requests.request<Buffer>("read", remote, (sftp, done) => sftp.open(remote, "r", done));
  try {
    await copyBlocks(requests, { remote, handle, size }, target, stall);
  } finally {
    requests.sftp.close(handle, () => {});
  }
}

/** Copies what the target does not have yet. */
async function copyBlocks(
  requests: SftpRequests,
  source: RemoteFile,
  target: DownloadTarget,
  stall: number,
): Promise<void> {
  const pool = new BlockPool();
  const unchanged = checkUnchanged(requests, source);
  unchanged.catch(() => {});
  const reads = function* (begin: number) {
    for (const [offset, length] of splitIntoBlocks(source.size - begin))
      yield () => readBlock(requests, source, begin + offset, pool.take(length));
  };
  await runInWindow(
    reads(target.size),
    async (block) => {
      await target.write(block);
      pool.release(block);
    },
    stall,
  );
  await unchanged;
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

import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { formatBytes } from "../../schemas/bytecount.js";
import { ConnectionError } from "../connectionerror.js";
import { BlockPool, splitIntoBlocks } from "../transfer/blocks.js";
import { runInWindow, StalledError } from "../transfer/requestwindow.js";
import { openUploadSource, type UploadSource } from "../transfer/uploadsource.js";
import type { UploadWindow } from "../transfer/uploadwindow.js";
import { readFreeBytes } from "./freespace.js";
import type { SftpRequests } from "./sftprequests.js";

const STEP = "write";

/** How files reach a node. `window`: shared by all uploads of the channel; `stall`: seconds without progress after which one fails. */
export interface UploadChannel {
  readonly requests: SftpRequests;
  readonly window: UploadWindow;
  readonly stall: number;
}

/** Copies a local file, or bytes, to a temporary name beside `remote` on the node, then renames it; see `Files.upload`. */
export async function upload(
  channel: UploadChannel,
  local: string | Buffer,
  remote: string,
  mode: number,
): Promise<void> {
  const { requests } = channel;
  const file = await openUploadSource(local);
  const temporary = `${remote}.${randomBytes(6).toString("hex")}.part`;
  try {
    await writeTemporary(channel, file, { remote, temporary, mode });
    await replace(requests, temporary, remote);
  } catch (error) {
    const explained = await explainUploadError(requests, file, remote, error);
    await cleanUp(requests, remote, error, (sftp, done) => sftp.unlink(temporary, done));
    throw explained;
  } finally {
    await file.close();
  }
}

interface UploadTarget {
  remote: string;
  temporary: string;
  mode: number;
}

async function writeTemporary(
  channel: UploadChannel,
  file: UploadSource,
  { remote, temporary, mode }: UploadTarget,
): Promise<void> {
  const { requests } = channel;
  const handle = await requests.request<Buffer>(STEP, remote, (sftp, done) =>
    sftp.open(temporary, "wx", { mode }, done),
  );
  try {
    await sendBlocks(channel, file, remote, handle);
    // chmod, because of the node's umask; fsync, so that the content is on disk before the rename.
    await requests.run(STEP, remote, (sftp, done) => sftp.fchmod(handle, mode, done));
    await requests.requestExtension<unknown>(STEP, remote, (sftp, done) => sftp.ext_openssh_fsync(handle, done));
  } catch (error) {
    await cleanUp(requests, remote, error, (sftp, done) => sftp.close(handle, done));
    throw error;
  }
  await requests.run(STEP, remote, (sftp, done) => sftp.close(handle, done));
}

async function sendBlocks(
  { requests, window, stall }: UploadChannel,
  file: UploadSource,
  remote: string,
  handle: Buffer,
): Promise<void> {
  const size = await file.size();
  const pool = new BlockPool();
  const sendBlock = async (offset: number, length: number) => {
    const block = pool.take(length);
    const bytesRead = await file.read(block, length, offset);
    if (bytesRead < length)
      throw requests.createError("FILE", STEP, remote, "the local file became shorter during the upload");
    await writeBlock(requests, remote, handle, block, offset);
    pool.release(block);
  };
  const writes = function* () {
    for (const [offset, length] of splitIntoBlocks(size)) {
      yield () => window.run(() => sendBlock(offset, length));
    }
  };
  await runInWindow(writes(), () => {}, stall);
}

/** `runInWindow` applies the timeout. */
function writeBlock(
  requests: SftpRequests,
  remote: string,
  handle: Buffer,
  block: Buffer,
  offset: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    requests.sftp.write(handle, block, 0, block.length, offset, (error) => {
      if (error) reject(requests.toConnectionError(STEP, remote, error));
      else resolve();
    });
  });
}

/** Renames over an existing file. Plain SFTP cannot, so without the extension the old file is deleted first. */
async function replace(requests: SftpRequests, temporary: string, remote: string): Promise<void> {
  const renamed = await requests.requestExtension<void>(STEP, remote, (sftp, done) =>
    sftp.ext_openssh_rename(temporary, remote, (error) => done(error, undefined)),
  );
  if (renamed !== undefined) return;
  await requests.run(STEP, remote, (sftp, done) => sftp.unlink(remote, done)).catch(() => {});
  await requests.run(STEP, remote, (sftp, done) => sftp.rename(temporary, remote, done));
}

/** Sends a clean-up request after an error, and waits for its answer unless the node no longer answers. */
async function cleanUp(
  requests: SftpRequests,
  remote: string,
  error: unknown,
  request: Parameters<SftpRequests["run"]>[2],
): Promise<void> {
  const done = requests.run(STEP, remote, request).catch(() => {});
  const isSilent = error instanceof StalledError || (error instanceof ConnectionError && error.code === "TIMEOUT");
  if (!isSilent) await done;
}

/** Converts the error of a failed upload. SFTP has no status code for a full disk, so the free space decides. */
async function explainUploadError(
  requests: SftpRequests,
  file: UploadSource,
  remote: string,
  error: unknown,
): Promise<unknown> {
  if (error instanceof StalledError) return requests.createError("TIMEOUT", STEP, remote, error.message);
  if (!(error instanceof ConnectionError) || error.code !== "FILE") return error;
  const free = await readFreeBytes(requests, dirname(remote)).catch(() => undefined);
  const size = await file.size();
  if (free === undefined || free >= size) return error;
  return requests.createError(
    "NO_SPACE",
    STEP,
    remote,
    `no space left: ${formatBytes(free)} free, ${formatBytes(size)} to write`,
    error,
  );
}

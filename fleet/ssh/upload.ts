import { randomBytes } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { ConnectionError } from "../errors.js";
import { BlockPool, blocks } from "./blocks.js";
import { pipeline, Stalled } from "./pipeline.js";
import type { Requests } from "./request.js";
import { freeBytes } from "./space.js";

const DOING = "write";

/** Copies a local file to the node under a temporary name beside `remote`, then renames it; see Files.upload. */
export async function upload(
  requests: Requests,
  local: string,
  remote: string,
  mode: number,
  stall: number,
): Promise<void> {
  const file = await open(local, "r");
  const temporary = `${remote}.${randomBytes(6).toString("hex")}.part`;
  try {
    await write(requests, file, { remote, temporary, mode, stall });
    await replace(requests, temporary, remote);
  } catch (error) {
    const explained = await explain(requests, file, remote, error);
    await cleanUp(requests, remote, error, (sftp, done) => sftp.unlink(temporary, done));
    throw explained;
  } finally {
    await file.close();
  }
}

interface Target {
  remote: string;
  temporary: string;
  mode: number;
  stall: number;
}

async function write(requests: Requests, file: FileHandle, { remote, temporary, mode, stall }: Target): Promise<void> {
  const handle = await requests.ask<Buffer>(DOING, remote, (sftp, done) => sftp.open(temporary, "wx", { mode }, done));
  try {
    await copyOut(requests, file, remote, handle, stall);
    // The mode whatever the umask there; and content on the disk before the name says that it is there.
    await requests.order(DOING, remote, (sftp, done) => sftp.fchmod(handle, mode, done));
    await requests.extension<unknown>(DOING, remote, (sftp, done) => sftp.ext_openssh_fsync(handle, done));
  } catch (error) {
    await cleanUp(requests, remote, error, (sftp, done) => sftp.close(handle, done));
    throw error;
  }
  await requests.order(DOING, remote, (sftp, done) => sftp.close(handle, done));
}

async function copyOut(
  requests: Requests,
  file: FileHandle,
  remote: string,
  handle: Buffer,
  stall: number,
): Promise<void> {
  const { size } = await file.stat();
  const pool = new BlockPool();
  const writes = function* () {
    for (const [offset, length] of blocks(size)) {
      yield async () => {
        const block = pool.take(length);
        const { bytesRead } = await file.read(block, 0, length, offset);
        if (bytesRead < length)
          throw requests.failure("FILE", DOING, remote, "the local file became shorter meanwhile");
        await writeBlock(requests, remote, handle, block, offset);
        pool.release(block);
      };
    }
  };
  await pipeline(writes(), () => {}, stall);
}

/** The pipeline watches the time. */
function writeBlock(requests: Requests, remote: string, handle: Buffer, block: Buffer, offset: number): Promise<void> {
  return new Promise((resolve, reject) => {
    requests.sftp.write(handle, block, 0, block.length, offset, (error) => {
      if (error) reject(requests.explain(DOING, remote, error));
      else resolve();
    });
  });
}

/** Renames over what is there. Plain SFTP cannot: without the extension the old file goes first. */
async function replace(requests: Requests, temporary: string, remote: string): Promise<void> {
  const renamed = await requests.extension<void>(DOING, remote, (sftp, done) =>
    sftp.ext_openssh_rename(temporary, remote, (error) => done(error, undefined)),
  );
  if (renamed !== undefined) return;
  await requests.order(DOING, remote, (sftp, done) => sftp.unlink(remote, done)).catch(() => {});
  await requests.order(DOING, remote, (sftp, done) => sftp.rename(temporary, remote, done));
}

/** After an error: asks for one more thing, and waits for it unless the node had stopped answering. */
async function cleanUp(
  requests: Requests,
  remote: string,
  error: unknown,
  request: Parameters<Requests["order"]>[2],
): Promise<void> {
  const done = requests.order(DOING, remote, request).catch(() => {});
  const silent = error instanceof Stalled || (error instanceof ConnectionError && error.code === "TIMEOUT");
  if (!silent) await done;
}

/** SFTP has no word for a full disk, so the free space tells. */
async function explain(requests: Requests, file: FileHandle, remote: string, error: unknown): Promise<unknown> {
  if (error instanceof Stalled) return requests.failure("TIMEOUT", DOING, remote, error.message);
  if (!(error instanceof ConnectionError) || error.code !== "FILE") return error;
  const free = await freeBytes(requests, dirname(remote)).catch(() => undefined);
  const { size } = await file.stat();
  if (free === undefined || free >= size) return error;
  return requests.failure("NO_SPACE", DOING, remote, `no space left: ${free} bytes free, ${size} to write`, error);
}

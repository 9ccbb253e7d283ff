import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { chmod, copyFile, type FileHandle, lstat, mkdir, open, rename, rm, statfs, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname } from "node:path";
import { formatUnequalBytes } from "../../schemas/bytecount.js";
import type { FileStat, Files } from "../connection.js";
import { ConnectionError, type ConnectionErrorCode } from "../connectionerror.js";
import { DownloadTarget, type OpenTarget } from "../downloadtarget.js";
import { createFileError } from "../systemerror.js";

const COPY_BLOCK_BYTES = 1024 * 1024;

/** Files of this machine. */
export class LocalFiles implements Files {
  constructor(private readonly node: string) {}

  async home(): Promise<string> {
    return homedir();
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.convertErrors("look at", path, async () => {
      const stats = await lstat(path).catch((error) => {
        if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
        throw error;
      });
      if (stats === undefined) return undefined;
      const kind = stats.isFile() ? "file" : stats.isDirectory() ? "folder" : stats.isSymbolicLink() ? "link" : "other";
      return { kind, size: stats.size, mode: stats.mode & 0o7777 };
    });
  }

  makeFolder(path: string, mode: number): Promise<void> {
    return this.convertErrors("make folder", path, async () => {
      const first = await mkdir(path, { recursive: true, mode });
      // The umask may have cleared bits of the mode of each created folder.
      for (let made = path; first !== undefined && made.length >= first.length; made = dirname(made))
        await chmod(made, mode);
    });
  }

  async upload(local: string | Buffer, remote: string, mode: number): Promise<void> {
    if (typeof local === "string") await open(local, "r").then((source) => source.close());
    const temporary = `${remote}.${randomBytes(6).toString("hex")}.part`;
    await this.convertErrors("write", remote, async () => {
      try {
        if (typeof local === "string")
          await copyFile(local, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
        else await writeFile(temporary, local, { flag: "wx" });
        const copy = await open(temporary, "r+").catch(() => open(temporary, "r"));
        await copy
          .chmod(mode)
          .then(() => copy.sync())
          .finally(() => copy.close());
        await rename(temporary, remote);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    });
  }

  download(remote: string, local: string, limit: number): Promise<{ size: number; sha256: string }> {
    return this.copy(remote, local, limit, () => DownloadTarget.create(local));
  }

  resumeDownload(remote: string, local: string, limit: number): Promise<{ size: number; sha256: string }> {
    return this.copy(remote, local, limit, (size) => DownloadTarget.resume(local, size));
  }

  free(path: string): Promise<number | undefined> {
    return this.convertErrors("look at", path, async () => {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    });
  }

  private copy(remote: string, local: string, limit: number, openTarget: OpenTarget) {
    const read = this.convertErrors("read", remote, async () => {
      const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
      const source = await open(remote, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error) => {
        throw error.code === "ELOOP" || error.code === "ENXIO"
          ? this.createError("FILE", "read", remote, "not a regular file")
          : error;
      });
      try {
        return await this.copyToLocal(source, remote, limit, openTarget);
      } finally {
        await source.close();
      }
    });
    return read.catch((error: Error) => {
      throw isLocalWriteError(local, error.cause) ? error.cause : error;
    });
  }

  private async copyToLocal(source: FileHandle, remote: string, limit: number, openTarget: OpenTarget) {
    const stats = await source.stat();
    if (!stats.isFile()) throw this.createError("FILE", "read", remote, "not a regular file");
    if (stats.size > limit) {
      const [has, allowed] = formatUnequalBytes(stats.size, limit);
      throw this.createError("FILE", "read", remote, `it has ${has}, more than the ${allowed} allowed`);
    }
    const target = await openTarget(stats.size);
    const block = Buffer.allocUnsafe(Math.min(COPY_BLOCK_BYTES, stats.size));
    try {
      while (target.size < stats.size) {
        const length = Math.min(block.length, stats.size - target.size);
        const { bytesRead } = await source.read(block, 0, length, target.size);
        if (bytesRead === 0)
          throw this.createError("FILE", "read", remote, "it became shorter while it was being read");
        await target.write(block.subarray(0, bytesRead));
      }
      return await target.finish();
    } catch (error) {
      await target.abandon(error);
      throw error;
    }
  }

  /** Runs `work` and converts system errors to ConnectionErrors that name the node and the path. */
  private async convertErrors<T>(step: string, path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ConnectionError) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      throw createFileError({ node: this.node, step: `${step} ${path}` }, code, message, error);
    }
  }

  private createError(code: ConnectionErrorCode, step: string, path: string, reason: string): ConnectionError {
    return new ConnectionError(code, { node: this.node, step: `${step} ${path}` }, reason);
  }
}

/** Whether an error concerns the file `local`, which is written, and not the file that is read. */
function isLocalWriteError(local: string, error: unknown): boolean {
  const { syscall, path } = (error ?? {}) as NodeJS.ErrnoException;
  return syscall === "write" || syscall === "fsync" || path === local;
}

import { dirname } from "node:path/posix";
import type { SFTPWrapper, Stats } from "ssh2";
import type { FileStat, Files } from "../connection.js";
import { ConnectionError } from "../connectionerror.js";
import { DownloadTarget } from "../downloadtarget.js";
import { UploadWindow } from "../transfer/uploadwindow.js";
import { download } from "./download.js";
import { readFreeBytes } from "./freespace.js";
import { SftpRequests } from "./sftprequests.js";
import type { SshConnection } from "./sshconnection.js";
import type { SshTimeouts } from "./timeouts.js";
import { upload } from "./upload.js";

/** Files of a node over one SFTP channel. */
export class SftpFiles implements Files {
  private readonly requests: SftpRequests;
  private readonly stall: number;
  private readonly uploadWindow = new UploadWindow();

  constructor(node: string, connection: SshConnection, sftp: SFTPWrapper, timeouts: SshTimeouts) {
    this.requests = new SftpRequests(node, connection, sftp, timeouts.requestSeconds);
    this.stall = timeouts.stallSeconds;
  }

  /** sshd starts the SFTP server in the home folder. */
  home(): Promise<string> {
    return this.requests.request("look at", "~", (sftp, done) => sftp.realpath(".", done));
  }

  async stat(path: string): Promise<FileStat | undefined> {
    try {
      return statOf(await this.requests.lstat("look at", path));
    } catch (error) {
      if (error instanceof ConnectionError && error.code === "MISSING") return undefined;
      throw error;
    }
  }

  async makeFolder(path: string, mode: number): Promise<void> {
    try {
      await this.makeOne(path, mode);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      if (error.code === "MISSING" && dirname(path) !== path) {
        await this.makeFolder(dirname(path), mode);
        return this.makeFolder(path, mode);
      }
      if (error.code === "LOST" || error.code === "TIMEOUT" || !(await this.isFolder(path))) throw error;
    }
  }

  upload(local: string | Buffer, remote: string, mode: number): Promise<void> {
    const { requests, uploadWindow: window, stall } = this;
    return upload({ requests, window, stall }, local, remote, mode);
  }

  download(remote: string, local: string, limit: number): Promise<{ size: number; sha256: string }> {
    return download(this.requests, remote, () => DownloadTarget.create(local), limit, this.stall);
  }

  resumeDownload(remote: string, local: string, limit: number): Promise<{ size: number; sha256: string }> {
    return download(this.requests, remote, (size) => DownloadTarget.resume(local, size), limit, this.stall);
  }

  free(path: string): Promise<number | undefined> {
    return readFreeBytes(this.requests, path);
  }

  private async makeOne(path: string, mode: number): Promise<void> {
    await this.requests.run("make folder", path, (sftp, done) => sftp.mkdir(path, { mode }, done));
    // The node's umask may have cleared bits of the mode.
    await this.requests.run("make folder", path, (sftp, done) => sftp.chmod(path, mode, done));
  }

  /** A symbolic link to a folder counts as a folder. */
  private async isFolder(path: string): Promise<boolean> {
    const stats = this.requests.request<Stats>("look at", path, (sftp, done) => sftp.stat(path, done));
    return stats.then(
      (found) => found.isDirectory(),
      () => false,
    );
  }
}

function statOf(stats: Stats): FileStat {
  const kind = stats.isFile() ? "file" : stats.isDirectory() ? "folder" : stats.isSymbolicLink() ? "link" : "other";
  return { kind, size: stats.size, mode: stats.mode & 0o7777 };
}

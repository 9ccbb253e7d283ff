import type { SFTPWrapper, Stats } from "ssh2";
import { ConnectionError, type ConnectionErrorCode } from "../connectionerror.js";
import type { Ssh2Callback, SshConnection } from "./sshconnection.js";

/** The answers of an SFTP server that have a meaning of their own; OpenSSH says 4, failure, for everything else. */
const SFTP_STATUS_CODES: Record<number, ConnectionErrorCode> = { 2: "MISSING", 3: "DENIED", 6: "LOST", 7: "LOST" };
const UNSUPPORTED_STATUS = 8;

const SFTP_REASONS: Partial<Record<ConnectionErrorCode, string>> = {
  MISSING: "no such file or folder",
  DENIED: "permission denied",
  LOST: "the file channel ended",
};

/** How ssh2 answers where there is only success or failure. */
type SftpCallback = (error?: Error | null) => void;

/** SFTP requests with deadlines, and errors that name node, path and what was being done with it. */
export class SftpRequests {
  constructor(
    private readonly node: string,
    private readonly link: SshConnection,
    readonly sftp: SFTPWrapper,
    private readonly seconds: number,
  ) {}

  /** One request and its answer. Rejects with a ConnectionError. */
  async request<T>(
    doing: string,
    path: string,
    request: (sftp: SFTPWrapper, done: Ssh2Callback<T>) => void,
  ): Promise<T> {
    const where = { node: this.node, step: `${doing} ${path}` };
    try {
      return await this.link.request<T>(where, this.seconds, (done) => request(this.sftp, done));
    } catch (error) {
      throw this.toConnectionError(doing, path, error);
    }
  }

  /** One request without an answer. Rejects with a ConnectionError. */
  run(doing: string, path: string, request: (sftp: SFTPWrapper, done: SftpCallback) => void): Promise<void> {
    return this.request<void>(doing, path, (sftp, done) => request(sftp, (error) => done(error, undefined)));
  }

  /** A request that not every server knows: undefined where it does not. ssh2 throws for those that are not announced. */
  async requestExtension<T>(
    doing: string,
    path: string,
    request: (sftp: SFTPWrapper, done: Ssh2Callback<T>) => void,
  ): Promise<{ value: T } | undefined> {
    let announced = true;
    try {
      const value = await this.request<T>(doing, path, (sftp, done) => {
        try {
          request(sftp, done);
        } catch (error) {
          announced = false;
          done(error as Error, undefined as T);
        }
      });
      return { value };
    } catch (error) {
      const { cause } = error as ConnectionError;
      if (!announced || (cause as { code?: unknown } | undefined)?.code === UNSUPPORTED_STATUS) return undefined;
      throw error;
    }
  }

  lstat(doing: string, path: string): Promise<Stats> {
    return this.request(doing, path, (sftp, done) => sftp.lstat(path, done));
  }

  /** What an error of ssh2 means. */
  toConnectionError(doing: string, path: string, error: unknown): ConnectionError {
    if (error instanceof ConnectionError) return error;
    const { code, message } = error as { code?: unknown; message: string };
    const known =
      typeof code === "number" ? (SFTP_STATUS_CODES[code] ?? "FILE") : /No response/.test(message) ? "LOST" : "FILE";
    return this.createError(known, doing, path, SFTP_REASONS[known] ?? message, error);
  }

  createError(
    code: ConnectionErrorCode,
    doing: string,
    path: string,
    reason: string,
    cause?: unknown,
  ): ConnectionError {
    return new ConnectionError(code, { node: this.node, step: `${doing} ${path}` }, reason, { cause });
  }
}

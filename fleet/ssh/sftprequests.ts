import type { SFTPWrapper, Stats } from "ssh2";
import { ConnectionError, type ConnectionErrorCode } from "../connectionerror.js";
import type { Ssh2Callback, SshConnection } from "./sshconnection.js";

/** SFTP status codes with a specific meaning. OpenSSH answers with 4 (failure) for every other error. */
const SFTP_STATUS_CODES: Record<number, ConnectionErrorCode> = { 2: "MISSING", 3: "DENIED", 6: "LOST", 7: "LOST" };
const UNSUPPORTED_STATUS = 8;

const SFTP_REASONS: Partial<Record<ConnectionErrorCode, string>> = {
  MISSING: "no such file or folder",
  DENIED: "permission denied",
  LOST: "the file channel ended",
};

/** The callback of ssh2 for a request without a result. */
type SftpCallback = (error?: Error | null) => void;

/** Sends SFTP requests with a timeout. Errors name the node, the action and the path. */
export class SftpRequests {
  constructor(
    private readonly node: string,
    private readonly connection: SshConnection,
    readonly sftp: SFTPWrapper,
    private readonly seconds: number,
  ) {}

  /** Sends a request and resolves with its result. Rejects with a ConnectionError. */
  async request<T>(
    action: string,
    path: string,
    request: (sftp: SFTPWrapper, done: Ssh2Callback<T>) => void,
  ): Promise<T> {
    const where = { node: this.node, step: `${action} ${path}` };
    try {
      return await this.connection.request<T>(where, this.seconds, (done) => request(this.sftp, done));
    } catch (error) {
      throw this.toConnectionError(action, path, error);
    }
  }

  /** Sends a request without a result. Rejects with a ConnectionError. */
  run(action: string, path: string, request: (sftp: SFTPWrapper, done: SftpCallback) => void): Promise<void> {
    return this.request<void>(action, path, (sftp, done) => request(sftp, (error) => done(error, undefined)));
  }

  /** Sends a request of an SFTP extension; undefined if the server does not support it. ssh2 throws if it is not announced. */
  async requestExtension<T>(
    action: string,
    path: string,
    request: (sftp: SFTPWrapper, done: Ssh2Callback<T>) => void,
  ): Promise<{ value: T } | undefined> {
    let isAnnounced = true;
    try {
      const value = await this.request<T>(action, path, (sftp, done) => {
        try {
          request(sftp, done);
        } catch (error) {
          isAnnounced = false;
          done(error as Error, undefined as T);
        }
      });
      return { value };
    } catch (error) {
      const { cause } = error as ConnectionError;
      if (!isAnnounced || (cause as { code?: unknown } | undefined)?.code === UNSUPPORTED_STATUS) return undefined;
      throw error;
    }
  }

  lstat(action: string, path: string): Promise<Stats> {
    return this.request(action, path, (sftp, done) => sftp.lstat(path, done));
  }

  /** Converts an error of ssh2 to a ConnectionError. */
  toConnectionError(action: string, path: string, error: unknown): ConnectionError {
    if (error instanceof ConnectionError) return error;
    const { code, message } = error as { code?: unknown; message: string };
    const known =
      typeof code === "number" ? (SFTP_STATUS_CODES[code] ?? "FILE") : /No response/.test(message) ? "LOST" : "FILE";
    return this.createError(known, action, path, SFTP_REASONS[known] ?? message, error);
  }

  createError(
    code: ConnectionErrorCode,
    action: string,
    path: string,
    reason: string,
    cause?: unknown,
  ): ConnectionError {
    return new ConnectionError(code, { node: this.node, step: `${action} ${path}` }, reason, { cause });
  }
}

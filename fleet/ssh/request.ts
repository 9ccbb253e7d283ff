import type { SFTPWrapper, Stats } from "ssh2";
import { type ConnectionCode, ConnectionError } from "../errors.js";
import type { Answer, Link } from "./link.js";

/** The answers of an SFTP server that have a meaning of their own; OpenSSH says 4, failure, for everything else. */
const CODES: Record<number, ConnectionCode> = { 2: "MISSING", 3: "DENIED", 6: "LOST", 7: "LOST" };
const UNSUPPORTED = 8;

const WORDS: Partial<Record<ConnectionCode, string>> = {
  MISSING: "no such file or folder",
  DENIED: "permission denied",
  LOST: "the file channel ended",
};

/** How ssh2 answers where there is only success or failure. */
type Done = (error?: Error | null) => void;

/** SFTP requests with deadlines, and errors that name node, path and what was being done with it. */
export class Requests {
  constructor(
    private readonly node: string,
    private readonly link: Link,
    readonly sftp: SFTPWrapper,
    private readonly seconds: number,
  ) {}

  /** One request and its answer. Rejects with a ConnectionError. */
  async ask<T>(doing: string, path: string, request: (sftp: SFTPWrapper, done: Answer<T>) => void): Promise<T> {
    const where = { node: this.node, step: `${doing} ${path}` };
    try {
      return await this.link.ask<T>(where, this.seconds, (done) => request(this.sftp, done));
    } catch (error) {
      throw this.explain(doing, path, error);
    }
  }

  /** One request without an answer. Rejects with a ConnectionError. */
  order(doing: string, path: string, request: (sftp: SFTPWrapper, done: Done) => void): Promise<void> {
    return this.ask<void>(doing, path, (sftp, done) => request(sftp, (error) => done(error, undefined)));
  }

  /** A request that not every server knows: undefined where it does not. ssh2 throws for those that are not announced. */
  async extension<T>(
    doing: string,
    path: string,
    request: (sftp: SFTPWrapper, done: Answer<T>) => void,
  ): Promise<{ value: T } | undefined> {
    let announced = true;
    try {
      const value = await this.ask<T>(doing, path, (sftp, done) => {
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
      if (!announced || (cause as { code?: unknown } | undefined)?.code === UNSUPPORTED) return undefined;
      throw error;
    }
  }

  lstat(doing: string, path: string): Promise<Stats> {
    return this.ask(doing, path, (sftp, done) => sftp.lstat(path, done));
  }

  /** What an error of ssh2 means. */
  explain(doing: string, path: string, error: unknown): ConnectionError {
    if (error instanceof ConnectionError) return error;
    const { code, message } = error as { code?: unknown; message: string };
    const known = typeof code === "number" ? (CODES[code] ?? "FILE") : /No response/.test(message) ? "LOST" : "FILE";
    return this.failure(known, doing, path, WORDS[known] ?? message, error);
  }

  failure(code: ConnectionCode, doing: string, path: string, reason: string, cause?: unknown): ConnectionError {
    return new ConnectionError(code, { node: this.node, step: `${doing} ${path}` }, reason, { cause });
  }
}

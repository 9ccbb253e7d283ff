import type { Readable, Writable } from "node:stream";
import type { Node } from "./node.js";

/** How a command on a node ended: a value, never thrown. `lost`: the connection broke, so the outcome is unknown. */
export type ExitReason =
  | { kind: "exit"; code: number }
  | { kind: "signal"; signal: string }
  | { kind: "timeout"; seconds: number }
  | { kind: "lost"; reason: string };

/** How a command ended, and its output, capped as `exec` describes. */
export type CommandResult = ExitReason & { stdout: string; stderr: string };

export interface ExecOptions {
  /** Sent, then closed. */
  stdin?: string | Buffer;
  /** In seconds; the process group is killed then. */
  timeout: number;
  /** How many bytes are kept of each output stream, the first ones; default 1 MiB. */
  cap?: number;
  /** Kills the process group when it aborts. */
  signal?: AbortSignal;
  /** Called with all output as it arrives, whatever `cap` is. */
  onOutput?(stream: "stdout" | "stderr", bytes: Buffer): void;
}

/** Returns how a command ended that was killed because of these options. */
export function describeStop({ timeout, signal }: ExecOptions): ExitReason {
  return signal?.aborted ? { kind: "signal", signal: "SIGKILL" } : { kind: "timeout", seconds: timeout };
}

/** A running command with its streams. `ended` resolves once, after the streams have closed; it never rejects. */
export interface Channel {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  ended: Promise<ExitReason>;
  /** Closes the channel. The process on the node may continue. */
  destroy(): void;
}

export interface FileStat {
  kind: "file" | "folder" | "link" | "other";
  size: number;
  /** Permission bits. */
  mode: number;
}

/**
 * Files of a node. Every call has a deadline and rejects with a ConnectionError (code LOST, DENIED, NO_SPACE, MISSING, FILE)
 * that names node and path. Paths are absolute on the node.
 */
export interface Files {
  /** The absolute path of the home folder. */
  home(): Promise<string>;
  /**
   * Does an lstat; undefined if the path does not exist. Rejects if that cannot be determined (no permission, an I/O error). Over SFTP
   * a loop of symbolic links counts as missing, because OpenSSH reports the same status for both.
   */
  stat(path: string): Promise<FileStat | undefined>;
  /** Creates the folder and its missing parents with `mode`. Does nothing if the folder exists. */
  makeFolder(path: string, mode: number): Promise<void>;
  /** Copies a local file, or bytes, to a temporary name beside `remote`, then renames it over `remote`. Pipelined, in constant memory. */
  upload(local: string | Buffer, remote: string, mode: number): Promise<void>;
  /**
   * Copies a regular file of the node (never through a symbolic link) into the new local file `local`, which must not exist, and fsyncs
   * it. Returns its size in bytes and its SHA-256. Rejects with FILE if the file is larger than `limit` bytes.
   */
  download(remote: string, local: string, limit: number): Promise<{ size: number; sha256: string }>;
  /**
   * As `download`, but continues behind the bytes that `local` has, where it exists, and keeps what has arrived when it rejects with LOST
   * or TIMEOUT. The SHA-256 is that of the whole local file: the bytes that it had may be those of another file.
   */
  resumeDownload(remote: string, local: string, limit: number): Promise<{ size: number; sha256: string }>;
  /** The free bytes of the file system that holds `path`; undefined if the server cannot report them. */
  free(path: string): Promise<number | undefined>;
}

/** A connection to one node. Over SSH it is one TCP connection, or up to three if the server allows too few channels on one. */
export interface Connection {
  readonly node: Node;
  /** Type and SHA256 fingerprint of the host key that was accepted; undefined for a local connection. */
  readonly hostKey?: string;
  /** What the login shell printed before a program that was started here; empty or undefined: nothing so far. */
  readonly shellOutput?: string;
  /** Resolves with the reason once the connection is closed or lost. Never rejects. */
  readonly closed: Promise<string>;
  /**
   * Runs a program to its end, without a pty. Arguments arrive byte for byte, whatever the login shell is.
   */
  exec(argv: string[], options: ExecOptions): Promise<CommandResult>;
  /** Starts a program and returns its streams. Rejects with a ConnectionError if it cannot be started. */
  open(argv: string[]): Promise<Channel>;
  /** Returns the file channel of this connection. The first call opens it. */
  files(): Promise<Files>;
  /** Closes the connection. Detached processes on the node continue. */
  close(): Promise<void>;
}

import type { Readable, Writable } from "node:stream";
import type { Node } from "./node.js";

/** How a command on a node ended. Never thrown: what nodes do is a value. `lost`: the connection went, so nobody knows. */
export type ExitReason =
  | { kind: "exit"; code: number }
  | { kind: "signal"; signal: string }
  | { kind: "timeout"; seconds: number }
  | { kind: "lost"; reason: string };

/** What a finished command left behind. Output is capped (see `exec`). */
export type CommandResult = ExitReason & { stdout: string; stderr: string };

/** A running command with its streams. `ended` resolves once, after the streams have closed; it never rejects. */
export interface Channel {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  ended: Promise<ExitReason>;
  /** Lets go of the channel; the process on the node may go on. */
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
  /** The absolute folder that `~` stands for. */
  home(): Promise<string>;
  /**
   * lstat; undefined where nothing is. Rejects where nobody can tell (no permission, an error of the disk); only a loop of links
   * reads as nothing over SFTP, for OpenSSH answers the same.
   */
  stat(path: string): Promise<FileStat | undefined>;
  /** Makes the folder and its parents (mode for the ones made); fine where it exists. */
  makeFolder(path: string, mode: number): Promise<void>;
  /** Copies a local file to the node: a temporary name beside `remote`, then rename over it. Pipelined; gigabytes are fine. */
  upload(local: string, remote: string, mode: number): Promise<void>;
  /**
   * Copies a regular file of the node (links refused) into the new local file `local` (must not exist; fsynced), hashing as it goes.
   * Refused when the file is larger than `limit` bytes. Pipelined reads into a descriptor of its own.
   */
  download(remote: string, local: string, limit: number): Promise<{ size: number; sha256: string }>;
  /** Free bytes of the file system that holds `path`; undefined where the server cannot say. */
  free(path: string): Promise<number | undefined>;
}

/** A pooled way to one node: one SSH connection (up to three where the server allows too few sessions on one). */
export interface Connection {
  readonly node: Node;
  /** Type and SHA256 fingerprint of the host key that was accepted; undefined for a local connection. */
  readonly hostKey?: string;
  /** Resolves with the reason when the connection is gone for good (also after close()). Never rejects. */
  readonly closed: Promise<string>;
  /**
   * Runs a program to its end; arguments arrive byte for byte, whatever the login shell is. No pty.
   * `timeout` in seconds; `stdin` is sent and closed; each output stream keeps its first `cap` bytes (default 1 MiB).
   */
  exec(argv: string[], options: { stdin?: string | Buffer; timeout: number; cap?: number }): Promise<CommandResult>;
  /** Starts a program and hands over its streams. Rejects with a ConnectionError when it cannot be started. */
  open(argv: string[]): Promise<Channel>;
  /** The one file channel of this connection, opened at the first call. */
  files(): Promise<Files>;
  /** Ends the connection; what runs detached on the node goes on. */
  close(): Promise<void>;
}

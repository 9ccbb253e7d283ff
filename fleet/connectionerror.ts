import { MusterError } from "../schemas/errors.js";

/**
 * UNREACHABLE: name resolution, routing or the TCP connection failed. DROPPED: the server closed the connection before log-in, as a busy
 * sshd does. TIMEOUT: no answer in time. LOST: an established connection broke. HOST_KEY_*: the host key is not trusted. AUTH: the server
 * accepts none of our keys. PASSWORD: nor the password that was given. ABANDONED: the caller needs the connection no longer. UNSUPPORTED_KEY,
 * CONFIG: a local key or setting cannot be used. SHELL: log-in works, but programs do not start. SESSIONS: the server allows no further channel.
 * File errors: DENIED, NO_SPACE, MISSING, and FILE for everything else.
 */
export type ConnectionErrorCode =
  | "UNREACHABLE"
  | "DROPPED"
  | "TIMEOUT"
  | "LOST"
  | "ABANDONED"
  | "HOST_KEY_UNKNOWN"
  | "HOST_KEY_CHANGED"
  | "HOST_KEY_REVOKED"
  | "AUTH"
  | "PASSWORD"
  | "UNSUPPORTED_KEY"
  | "CONFIG"
  | "SHELL"
  | "SESSIONS"
  | "DENIED"
  | "NO_SPACE"
  | "MISSING"
  | "FILE";

/** The node, and the step that was in progress: "connect to rig@10.0.0.5:22". */
export interface NodeStep {
  node: string;
  step: string;
}

/**
 * A host key that known_hosts does not have. `fingerprint`: `SHA256:...`. `isAccepted`: the inventory or ~/.ssh/config has new keys recorded
 * without a question.
 */
export interface UnknownHostKey {
  type: string;
  fingerprint: string;
  isAccepted: boolean;
}

interface ConnectionErrorDetails {
  next?: string;
  cause?: unknown;
  unknownKey?: UnknownHostKey;
  offeredMethods?: readonly string[];
}

/** A failed connection to a node, or a failed operation on its files. Its message is `node: step: detail`. */
export class ConnectionError extends MusterError {
  declare readonly code: ConnectionErrorCode;
  declare readonly node: string;
  readonly step: string;
  /** The message without node and step. */
  readonly detail: string;
  /** The host key that is not known yet, at a first contact. */
  readonly unknownKey: UnknownHostKey | undefined;
  /** The log-in methods that the server has offered before it refused ours; undefined: not known. */
  readonly offeredMethods: readonly string[] | undefined;

  constructor(
    code: ConnectionErrorCode,
    { node, step }: NodeStep,
    detail: string,
    { next = DEFAULT_NEXT[code], cause, unknownKey, offeredMethods }: ConnectionErrorDetails = {},
  ) {
    super(code, `${step}: ${detail}`, { next, cause, node });
    this.name = "ConnectionError";
    this.step = step;
    this.detail = detail;
    this.unknownKey = unknownKey;
    this.offeredMethods = offeredMethods;
  }
}

const DEFAULT_NEXT: Record<ConnectionErrorCode, string> = {
  UNREACHABLE: "check that the machine is on, and host and port in the inventory",
  DROPPED: "try again; if it happens again, check MaxStartups and the log of the node's sshd",
  TIMEOUT: "check that the machine is on and not frozen, and that no firewall drops packets to it",
  LOST: "check the machine and the network, then run the same command again: it resumes",
  ABANDONED: "run the same command again",
  HOST_KEY_UNKNOWN: "compare the fingerprint on the machine itself, then add its key to known_hosts",
  HOST_KEY_CHANGED: "find out why; if the machine was reinstalled, remove the old key with ssh-keygen -R",
  HOST_KEY_REVOKED: "do not use this machine until it has a new host key",
  AUTH: "put the public key into ~/.ssh/authorized_keys of that user on the node (ssh-copy-id)",
  PASSWORD: "check the user and the password",
  UNSUPPORTED_KEY: "use an unencrypted OpenSSH key, or load the key into ssh-agent (ssh-add)",
  CONFIG: "change the setting",
  SHELL: "check the login shell of that user on the node and its start-up files",
  SESSIONS: "raise MaxSessions in the node's sshd_config",
  DENIED: "give that user permission, or set another workdir in the inventory",
  NO_SPACE: "free some space on the node, or set another workdir in the inventory",
  MISSING: "check the path",
  FILE: "check that path on the node",
};

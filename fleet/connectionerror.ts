import { MusterError } from "../schemas/errors.js";

/**
 * UNREACHABLE: no way there (name, route, refused port). DROPPED: the server let go before log-in, as a busy one does.
 * TIMEOUT: silence. LOST: the connection went while in use. HOST_KEY_*: who answers is not who should. AUTH: who we are is
 * not enough. UNSUPPORTED_KEY, CONFIG: a key or setting here that cannot be used. SHELL: log-in works, programs do not start.
 * SESSIONS: the server allows no further channel. The rest is about files: DENIED, NO_SPACE, MISSING, FILE (anything else).
 */
export type ConnectionErrorCode =
  | "UNREACHABLE"
  | "DROPPED"
  | "TIMEOUT"
  | "LOST"
  | "HOST_KEY_UNKNOWN"
  | "HOST_KEY_CHANGED"
  | "HOST_KEY_REVOKED"
  | "AUTH"
  | "UNSUPPORTED_KEY"
  | "CONFIG"
  | "SHELL"
  | "SESSIONS"
  | "DENIED"
  | "NO_SPACE"
  | "MISSING"
  | "FILE";

/** Which node, and what was being done: "connect to rig@10.0.0.5:22". */
export interface NodeStep {
  node: string;
  step: string;
}

/** What went wrong on the way to a node or with its files. `step` says what was being done. */
export class ConnectionError extends MusterError {
  declare readonly code: ConnectionErrorCode;
  readonly node: string;
  readonly step: string;
  /** The message without node and step. */
  readonly reason: string;

  constructor(
    code: ConnectionErrorCode,
    where: NodeStep,
    reason: string,
    options: { next?: string; cause?: unknown } = {},
  ) {
    super(code, 69, `${where.node}: ${where.step}: ${reason}`, {
      next: options.next ?? DEFAULT_NEXT[code],
      cause: options.cause,
    });
    this.name = "ConnectionError";
    this.node = where.node;
    this.step = where.step;
    this.reason = reason;
  }
}

const DEFAULT_NEXT: Record<ConnectionErrorCode, string> = {
  UNREACHABLE: "check that the machine is on, and host and port in the inventory",
  DROPPED: "try again; if it stays, look at MaxStartups and the log of the node's sshd",
  TIMEOUT: "check that the machine is on and not frozen, and that no firewall drops packets on the way",
  LOST: "check the machine and the network; running the same command again goes on",
  HOST_KEY_UNKNOWN: "compare the fingerprint on the machine itself, then add its key to known_hosts",
  HOST_KEY_CHANGED: "find out why; if the machine was reinstalled, remove the old key with ssh-keygen -R",
  HOST_KEY_REVOKED: "do not use this machine until it has a new host key",
  AUTH: "put the public key into ~/.ssh/authorized_keys of that user on the node (ssh-copy-id)",
  UNSUPPORTED_KEY: "use an unencrypted OpenSSH key, or load the key into ssh-agent (ssh-add)",
  CONFIG: "change the setting",
  SHELL: "check the login shell of that user on the node and what its start-up files do",
  SESSIONS: "raise MaxSessions in the node's sshd_config",
  DENIED: "give that user the right to it, or set another workdir in the inventory",
  NO_SPACE: "free some space on the node, or set another workdir in the inventory",
  MISSING: "check the path",
  FILE: "look at that path on the node",
};

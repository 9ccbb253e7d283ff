/** How to log in to a machine that does not take our key yet. */
export interface FirstContact {
  /** The fingerprint that its host key must have, `SHA256:...`. */
  fingerprint?: string;
  /** Whether a host key that known_hosts does not have is recorded. */
  recordsKey?: boolean;
  /** The user's password, offered instead of keys; undefined: keys are offered. */
  password?: string;
}

/** What a caller of a dial may want beside the connection. */
export interface DialOptions {
  /** Abandons the dial: it rejects with a ConnectionError (ABANDONED), and nothing of it is left. */
  signal?: AbortSignal;
  /** Called when the machine that is dialled first has accepted the TCP connection, or its ProxyCommand has started. */
  onAnswer?: () => void;
  /** Logs in to the machine that is dialled last, for the first time. Jump hosts before it take keys, and are known. */
  firstContact?: FirstContact;
}

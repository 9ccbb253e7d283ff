/** What a caller of a dial may want beside the connection. */
export interface DialOptions {
  /** Abandons the dial: it rejects with a ConnectionError (ABANDONED), and nothing of it is left. */
  signal?: AbortSignal;
  /** Called when the machine that is dialled first has accepted the TCP connection, or its ProxyCommand has started. */
  onAnswer?: () => void;
}

import { isIPv6 } from "node:net";
import { hostname } from "node:os";
import { UsageError } from "../../schemas/errors.js";

/** A machine that an inventory is to have, before anything is known about it. `host`: an address, or an alias of ~/.ssh/config. */
export interface HostRequest {
  host: string;
  /** The name of the node; undefined: made from its address or its host name. */
  name?: string;
  user?: string;
  port?: number;
  /** The most chunks at once. */
  maxConcurrent?: number;
  /** The Python to use there. */
  python?: string;
  /** The private key to log in with. */
  identityFile?: string;
}

const MAX_PORT = 65535;
const HERE = new Set(["localhost", "127.0.0.1", "::1"]);

/** Parses `[USER@]HOST[:PORT]`; an IPv6 address with a port is in brackets. Throws UsageError. */
export function parseHostRequest(text: string): HostRequest {
  const [, user, address = ""] = /^(?:([^@\s]+)@)?([^@\s]+)$/.exec(text) ?? [];
  const [, bracketed, name, port] = /^(?:\[([^\]]+)\]|([^[\]:]+))(?::(\d+))?$/.exec(address) ?? [];
  const host = isIPv6(address) ? address : (bracketed ?? name);
  const isWrong = host === undefined || host.startsWith("-") || (port !== undefined && !(Number(port) <= MAX_PORT));
  if (isWrong) throw new UsageError(`${text}: a host must be [USER@]HOST[:PORT], for example rig1 or me@10.0.0.4:2222`);
  return { host, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port: Number(port) }) };
}

/** Whether a request means the machine that muster runs on: its own name does, unless a user or a port asks for a log-in. */
export function isThisMachine({ host, user, port }: HostRequest): boolean {
  return HERE.has(host) || (host === hostname() && user === undefined && port === undefined);
}

import { ConnectionError, type NodeStep } from "../connectionerror.js";
import { type Credentials, explainMissingAgent } from "./credentials.js";
import type { Hop } from "./hops.js";

/** An error as ssh2 emits it. `level`: the layer that it comes from; `code`: the code of a system error. */
interface Ssh2Error extends Error {
  level?: string;
  code?: string;
}

/** Converts ssh2's error about a failed log-in to a ConnectionError: AUTH, TIMEOUT, UNREACHABLE, CONFIG or DROPPED. */
export function explainLoginError(
  error: Ssh2Error,
  hop: Hop,
  where: NodeStep,
  { offered, unusable }: Pick<Credentials, "offered" | "unusable">,
): ConnectionError {
  const cause = error;
  if (error.level === "client-authentication") {
    const left = unusable.length === 0 ? "" : `; not usable: ${unusable.join("; ")}`;
    const reason = `${hop.user} may not log in with ${offered.join(", ")}${left}${explainMissingAgent(hop)}`;
    return new ConnectionError("AUTH", where, reason, { cause });
  }
  if (error.level === "client-timeout" || error.code === "ETIMEDOUT" || /timed out/i.test(error.message)) {
    return new ConnectionError("TIMEOUT", where, "no answer", { cause });
  }
  const known = error.code === undefined ? undefined : SYSTEM_ERROR_REASONS[error.code];
  if (known !== undefined) return new ConnectionError("UNREACHABLE", where, known, { cause });
  if (/no matching/i.test(error.message)) {
    const next = "allow a current algorithm in the node's sshd_config (e.g. curve25519-sha256, ssh-ed25519)";
    return new ConnectionError("CONFIG", where, `no common algorithm: ${error.message}`, { next, cause });
  }
  return new ConnectionError("DROPPED", where, `the server ended the connection before log-in (${error.message})`, {
    cause,
  });
}

const SYSTEM_ERROR_REASONS: Record<string, string> = {
  ECONNREFUSED: "the machine refuses connections at this port: no sshd listens there",
  EHOSTUNREACH: "no route to the machine",
  ENETUNREACH: "no route to its network",
  EHOSTDOWN: "the machine is down",
  ENOTFOUND: "the host name is unknown",
  EAI_AGAIN: "the name server does not answer",
  EADDRNOTAVAIL: "this address cannot be reached from here",
  EACCES: "a local firewall forbids it",
  EPERM: "a local firewall forbids it",
};

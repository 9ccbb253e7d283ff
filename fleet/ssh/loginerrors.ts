import { ConnectionError, type NodeStep } from "../connectionerror.js";
import { type Credentials, explainMissingAgent } from "./credentials.js";
import type { Hop } from "./hop.js";
import { ProxyCommandError } from "./proxystream.js";

/** An error as ssh2 emits it. `level`: the layer that it comes from; `code`: the code of a system error. */
interface Ssh2Error extends Error {
  level?: string;
  code?: string;
}

/** What is known about a failed log-in besides its error. */
export interface LoginContext extends Pick<Credentials, "offered" | "unusable" | "usesPassword"> {
  /** The host key algorithms of the server, if they are known. */
  hostKeyOffer?: string[];
  /** What the ProxyCommand has printed to standard error. */
  proxyErrors?: string;
  /** The methods in each reply of the server that refused a log-in or did not complete it; the first one precedes all keys. */
  methodReplies?: readonly (readonly string[])[];
  /** The methods with which the server wanted the log-in to continue after it had accepted a key; undefined = it accepted none. */
  continuations?: readonly string[];
}

/** Converts an error of a log-in, as ssh2 or a stream emits it, to a ConnectionError: AUTH, TIMEOUT, UNREACHABLE, CONFIG or DROPPED. */
export function explainLoginError(error: Ssh2Error, hop: Hop, where: NodeStep, context: LoginContext): ConnectionError {
  const cause = error;
  const { hostKeyOffer, proxyErrors = "" } = context;
  const denial = explainDenial(error, hop, where, context);
  if (denial !== undefined) return denial;
  if (error instanceof ProxyCommandError && error.isRefusal) {
    const next = `run it by hand: ${hop.proxyCommand}`;
    return new ConnectionError("UNREACHABLE", where, error.message, { next, cause });
  }
  if (error.level === "client-timeout" || error.code === "ETIMEDOUT" || /timed out/i.test(error.message)) {
    const timedOut = "connection timed out";
    const reason = proxyErrors === "" ? timedOut : `${timedOut}; the ProxyCommand printed: ${proxyErrors}`;
    return new ConnectionError("TIMEOUT", where, reason, { cause });
  }
  const known = error.code === undefined ? undefined : SYSTEM_ERROR_REASONS[error.code];
  if (known !== undefined) return new ConnectionError("UNREACHABLE", where, known, { cause });
  if (/no matching host key/i.test(error.message)) return explainHostKeyOffer(hop, where, hostKeyOffer ?? [], cause);
  if (/no matching/i.test(error.message)) {
    const next = "allow a current algorithm in the node's sshd_config (e.g. curve25519-sha256, ssh-ed25519)";
    return new ConnectionError("CONFIG", where, `no common algorithm: ${error.message}`, { next, cause });
  }
  return new ConnectionError("DROPPED", where, `the server ended the connection before log-in (${error.message})`, {
    cause,
  });
}

/** Explains why the server did not accept the log-in, from what it replied; undefined where the error is another one. */
function explainDenial(
  error: Ssh2Error,
  hop: Hop,
  where: NodeStep,
  context: LoginContext,
): ConnectionError | undefined {
  const { offered, unusable, methodReplies = [], continuations } = context;
  const cause = error;
  if (/too many authentication failures/i.test(error.message)) {
    const tries = `${methodReplies.length} tries`;
    const reason = `the server ended the log-in after ${tries} (too many authentication failures); keys to offer: ${offered.join(", ")}`;
    const next = "name the right key with identity_file, and set IdentitiesOnly yes for this host in ~/.ssh/config";
    return new ConnectionError("AUTH", where, reason, { next, cause });
  }
  if (error.level !== "client-authentication") return undefined;
  const first = methodReplies[0];
  if (context.usesPassword) return explainPasswordDenial(hop, where, context, cause);
  if (first !== undefined && !first.includes("publickey")) {
    const reason = `the server takes no keys of ${hop.user}, only ${first.join(", ")}`;
    const next =
      "allow PubkeyAuthentication for that user in the node's sshd_config: muster sends no passwords, except for `muster bootstrap`";
    return new ConnectionError("AUTH", where, reason, { next, cause, offeredMethods: first });
  }
  const wanted = continuations ?? findOtherMethods(methodReplies);
  if (wanted !== undefined) {
    const needsKey = wanted.includes("publickey");
    const reason = `the server accepted a key of ${hop.user} (offered: ${offered.join(", ")}), and wants ${needsKey ? "another key" : wanted.join(" or ")} in addition`;
    const next = needsKey
      ? "authorize a second one of these keys there, or let that user log in with one: AuthenticationMethods publickey in the node's sshd_config"
      : "let that user log in with the key alone: AuthenticationMethods publickey in the node's sshd_config";
    return new ConnectionError("AUTH", where, reason, { next, cause });
  }
  const left = unusable.length === 0 ? "" : `; not usable: ${unusable.join("; ")}`;
  const reason = `${hop.user} may not log in with ${offered.join(", ") || "any key"}${left}${explainMissingAgent(hop)}`;
  return new ConnectionError("AUTH", where, reason, { cause, offeredMethods: first });
}

/** Explains why the server did not take a password. */
function explainPasswordDenial(
  hop: Hop,
  where: NodeStep,
  { methodReplies = [] }: LoginContext,
  cause: Error,
): ConnectionError {
  const [first = [], second] = methodReplies;
  if (!takesPasswords(first)) {
    const reason = `the server takes no passwords of ${hop.user}, only ${first.join(", ")}`;
    return new ConnectionError("AUTH", where, reason, { next: NO_PASSWORDS_NEXT, cause, offeredMethods: first });
  }
  const isOneStep = second === undefined || second.join() === first.join();
  if (!isOneStep) {
    const reason = `the server accepted the password of ${hop.user}, and wants ${second.join(" or ")} in addition`;
    const next = "let that user log in with one of them: AuthenticationMethods in the node's sshd_config";
    return new ConnectionError("AUTH", where, reason, { next, cause, offeredMethods: first });
  }
  const root = hop.user === "root" ? "; sshd refuses passwords of root unless PermitRootLogin is yes" : "";
  return new ConnectionError("PASSWORD", where, `the server does not accept this password of ${hop.user}${root}`, {
    cause,
    offeredMethods: first,
  });
}

/** Whether a server that offers these log-in methods may take a password. */
export function takesPasswords(methods: readonly string[]): boolean {
  return methods.includes("password") || methods.includes("keyboard-interactive");
}

const NO_PASSWORDS_NEXT =
  "log in with a key that the machine takes (--key FILE), or allow PasswordAuthentication in its sshd_config until its key is installed";

/** Returns what the server wanted in the end, where it took no more keys then. */
function findOtherMethods(methodReplies: readonly (readonly string[])[]): readonly string[] | undefined {
  const last = methodReplies.at(-1);
  return last?.includes("publickey") === false ? last : undefined;
}

function explainHostKeyOffer(hop: Hop, where: NodeStep, offer: string[], cause: Error): ConnectionError {
  if (offer.length > 0 && offer.every((name) => name.includes("-cert-"))) {
    const reason = `the server offers only a host certificate (${offer.join(", ")}), and muster supports none`;
    const next =
      "let its sshd offer the plain host key, too (HostKeyAlgorithms in sshd_config), and record it in known_hosts";
    return new ConnectionError("CONFIG", where, reason, { next, cause });
  }
  const allowed = hop.algorithms.hostKey?.filter((name) => !name.includes("-cert-")).join(", ");
  const reason = `no common host key algorithm: the server offers ${offer.join(", ")}; HostKeyAlgorithms allows ${allowed}`;
  const next = "give the machine an ed25519 host key (ssh-keygen -A), or allow its algorithm in HostKeyAlgorithms";
  return new ConnectionError("CONFIG", where, reason, { next, cause });
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

import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { decodeBytes } from "../../schemas/bytetext.js";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import type { Hop } from "./hops.js";
import {
  formatHostName,
  formatKeyFingerprint,
  hashHostName,
  judgeHostKey,
  type KnownHost,
  parseKnownHosts,
  readKeyType,
} from "./knownhosts.js";

const LINE_FEED = 10;

/** Reads the entries of the hop's known_hosts files; a file that cannot be read counts as empty. */
export function readKnownHosts(hop: Hop): KnownHost[] {
  return [...hop.userKnownHosts, ...hop.globalKnownHosts].flatMap((file) => parseKnownHosts(readIfThere(file), file));
}

/** Whether a host key is accepted: it is trusted, or it is new and now recorded. */
export type HostKeyCheck = { readonly ok: true } | { readonly ok: false; readonly error: ConnectionError };

/**
 * Checks the key that `hop` presents against known_hosts. The errors are HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, HOST_KEY_REVOKED, and
 * CONFIG if a new key cannot be recorded. Synchronous, so that two connections cannot both record the key.
 */
export function checkHostKey(hop: Hop, where: NodeStep, key: Buffer): HostKeyCheck {
  const name = hop.hostKeyAlias ?? hop.host;
  const shown = `${readKeyType(key)} ${formatKeyFingerprint(key)}`;
  const verdict = judgeHostKey(readKnownHosts(hop), name, hop.port, key);
  switch (verdict.kind) {
    case "trusted":
      return { ok: true };
    case "revoked": {
      const reason = `${formatLine(verdict.place)} revokes the host key ${shown}`;
      return { ok: false, error: new ConnectionError("HOST_KEY_REVOKED", where, reason) };
    }
    case "changed":
      return { ok: false, error: createChangedKeyError(hop, where, shown, verdict.place) };
    case "unknown":
      if (hop.acceptsNewKeys) return recordHostKey(hop, name, key, where);
      return { ok: false, error: createUnknownKeyError(hop, where, shown, verdict.authority) };
    default:
      return verdict satisfies never;
  }
}

function createChangedKeyError(hop: Hop, where: NodeStep, shown: string, place: KnownHost): ConnectionError {
  const name = formatHostName(hop.hostKeyAlias ?? hop.host, hop.port);
  const reason =
    `the HOST KEY HAS CHANGED: it shows ${shown}, but ${formatLine(place)} has ${place.type} ` +
    `${formatKeyFingerprint(place.key)}. Someone may be intercepting it; nothing was sent`;
  const next =
    `find out why. If the machine was reinstalled: ssh-keygen -f ${place.file} ` +
    `-R '${name}', then connect once with ${formatSshCommand(hop)}`;
  return new ConnectionError("HOST_KEY_CHANGED", where, reason, { next });
}

function createUnknownKeyError(hop: Hop, where: NodeStep, shown: string, authority: boolean): ConnectionError {
  const file = hop.userKnownHosts[0] ?? "~/.ssh/known_hosts";
  const reason = authority
    ? `the host key ${shown} is not in known_hosts, and its @cert-authority line is ignored: host certificates are not supported`
    : `the host key ${shown} is not in ${file}`;
  const scan = `ssh-keyscan${hop.port === 22 ? "" : ` -p ${hop.port}`} ${hop.host} >> ${file}`;
  const next = `compare that fingerprint on the machine, then ${formatSshCommand(hop)}, or ${scan}; or set host_keys: accept-new`;
  return new ConnectionError("HOST_KEY_UNKNOWN", where, reason, { next });
}

function recordHostKey(hop: Hop, name: string, key: Buffer, where: NodeStep): HostKeyCheck {
  const file = hop.userKnownHosts[0];
  if (file === undefined) return { ok: true };
  const plain = formatHostName(name, hop.port);
  const host = hop.hashesNames ? hashHostName(plain, randomBytes(20)) : plain;
  const line = `${host} ${readKeyType(key)} ${key.toString("base64")}\n`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // A single append, because other programs may be adding a line at the same time.
    appendFileSync(file, endsInLine(file) ? line : `\n${line}`, { mode: 0o600 });
    return { ok: true };
  } catch (cause) {
    const reason = `the new host key could not be recorded in ${file}: ${(cause as Error).message}`;
    return { ok: false, error: new ConnectionError("CONFIG", where, reason, { next: `make ${file} writable`, cause }) };
  }
}

/** Whether a line can be appended: the file is missing, is empty, or ends with a line break. Throws a system error if it cannot be read. */
function endsInLine(file: string): boolean {
  try {
    const bytes = readFileSync(file);
    return bytes.length === 0 || bytes.at(-1) === LINE_FEED;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
    throw error;
  }
}

function readIfThere(file: string): string {
  try {
    return decodeBytes(readFileSync(file));
  } catch {
    return "";
  }
}

function formatLine(entry: KnownHost): string {
  return `${entry.file}:${entry.line}`;
}

function formatSshCommand(hop: Hop): string {
  return `ssh${hop.port === 22 ? "" : ` -p ${hop.port}`} ${hop.user}@${hop.host}`;
}

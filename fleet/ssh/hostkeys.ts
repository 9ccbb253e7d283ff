import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { decodeBytes } from "../../schemas/bytetext.js";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import { readLocalFile } from "../local/readlocalfile.js";
import type { Hop } from "./hop.js";
import {
  formatKeyFingerprint,
  hashHostName,
  judgeHostKey,
  type KnownHost,
  nameHost,
  parseKnownHosts,
  readKeyType,
  readRsaBits,
} from "./knownhosts.js";
import { isKeyRevoked } from "./revokedkeys.js";

const LINE_FEED = 10;

/** Reads the entries of the hop's known_hosts files; a file that cannot be read counts as empty. */
export function readKnownHosts(hop: Hop): KnownHost[] {
  return [...hop.userKnownHosts, ...hop.globalKnownHosts].flatMap((file) => parseKnownHosts(readIfThere(file), file));
}

/** Whether a host key is accepted: it is trusted, or it is new and now recorded. */
export type HostKeyCheck = { readonly ok: true } | { readonly ok: false; readonly error: ConnectionError };

/**
 * Checks the key that `hop` presents: its size (RequiredRSASize), RevokedHostKeys, and known_hosts. `address`: the machine's address, if
 * it was dialled from here. The errors are HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, HOST_KEY_REVOKED, or CONFIG.
 */
export function verifyHostKey(hop: Hop, where: NodeStep, key: Buffer, address: string | undefined): HostKeyCheck {
  const error = checkKeySize(hop, where, key) ?? checkRevocation(hop, where, key) ?? checkFingerprint(hop, where, key);
  return error === undefined ? checkHostKey(hop, where, key, address) : { ok: false, error };
}

function checkKeySize(hop: Hop, where: NodeStep, key: Buffer): ConnectionError | undefined {
  const bits = readRsaBits(key);
  if (bits === undefined || bits >= hop.minRsaBits) return undefined;
  const reason = `its RSA host key has ${bits} bits, and RequiredRSASize is ${hop.minRsaBits}`;
  return new ConnectionError("CONFIG", where, reason, { next: "give the machine another host key (ssh-keygen -A)" });
}

function checkRevocation(hop: Hop, where: NodeStep, key: Buffer): ConnectionError | undefined {
  const file = hop.revokedHostKeys;
  if (file === undefined) return undefined;
  try {
    if (!isKeyRevoked(file, key)) return undefined;
    return new ConnectionError(
      "HOST_KEY_REVOKED",
      where,
      `RevokedHostKeys ${file} revokes the host key ${formatKey(key)}`,
    );
  } catch (cause) {
    const reason = `RevokedHostKeys ${file} cannot be read, so no host key is accepted: ${(cause as Error).message}`;
    return new ConnectionError("CONFIG", where, reason, {
      next: "restore that file, and name it with its whole path in RevokedHostKeys",
      cause,
    });
  }
}

/** The fingerprint that a person has given is compared before known_hosts decides, and before a password is sent. */
function checkFingerprint(hop: Hop, where: NodeStep, key: Buffer): ConnectionError | undefined {
  const expected = hop.firstContact?.fingerprint;
  if (expected === undefined || expected === formatKeyFingerprint(key)) return undefined;
  const reason = `it shows the host key ${formatKey(key)}, not the one with the fingerprint ${expected}; nothing was sent`;
  const next = `on the machine itself, \`ssh-keygen -lf\` of /etc/ssh/ssh_host_*_key.pub prints the fingerprints of its keys: compare that of the type ${readKeyType(key)}`;
  return new ConnectionError("HOST_KEY_UNKNOWN", where, reason, { next });
}

/**
 * Checks the key that `hop` presents against known_hosts. The errors are HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, HOST_KEY_REVOKED, and
 * CONFIG if a new key cannot be recorded. Synchronous, so that two connections cannot both record the key.
 */
export function checkHostKey(hop: Hop, where: NodeStep, key: Buffer, address?: string): HostKeyCheck {
  const known = readKnownHosts(hop);
  const shown = formatKey(key);
  const verdict = judgeHostKey(known, nameHost(hop), key);
  switch (verdict.kind) {
    case "revoked": {
      const reason = `${formatLine(verdict.place)} revokes the host key ${shown}`;
      return { ok: false, error: new ConnectionError("HOST_KEY_REVOKED", where, reason) };
    }
    case "changed":
      return { ok: false, error: createChangedKeyError(hop, where, shown, verdict.place) };
    case "trusted":
    case "unknown": {
      const place = findOtherKeyOfAddress(hop, known, key, address);
      if (place !== undefined) return { ok: false, error: createChangedAddressError(where, shown, place, address!) };
      if (verdict.kind === "trusted") return { ok: true };
      // Without a file to record it in, every key would be new every time: ssh refuses it, too.
      const isAccepted = hop.firstContact === undefined ? hop.acceptsNewKeys : hop.firstContact.recordsKey === true;
      if (isAccepted && hop.userKnownHosts[0] !== undefined)
        return recordHostKey(hop, key, where, hop.userKnownHosts[0]);
      return { ok: false, error: createUnknownKeyError(hop, where, key, verdict.authority, address !== undefined) };
    }
    default:
      return verdict satisfies never;
  }
}

/** CheckHostIP: returns an entry of known_hosts by which the machine's address has another key. ssh excludes loopback addresses. */
function findOtherKeyOfAddress(
  hop: Hop,
  known: KnownHost[],
  key: Buffer,
  address: string | undefined,
): KnownHost | undefined {
  if (!hop.checksAddress || address === undefined || address === hop.host) return undefined;
  if (address.startsWith("127.") || address === "::1") return undefined;
  const verdict = judgeHostKey(known, nameHost({ host: address, port: hop.port }), key);
  return verdict.kind === "changed" ? verdict.place : undefined;
}

function createChangedAddressError(where: NodeStep, shown: string, place: KnownHost, address: string): ConnectionError {
  const reason =
    `it shows ${shown}, but ${formatLine(place)} has ${place.type} ${formatKeyFingerprint(place.key)} for its address ` +
    `${address} (CheckHostIP). Someone may be intercepting it; nothing was sent`;
  const next = `find out why. If the address belongs to another machine now, remove ${formatLine(place)}`;
  return new ConnectionError("HOST_KEY_CHANGED", where, reason, { next });
}

function createChangedKeyError(hop: Hop, where: NodeStep, shown: string, place: KnownHost): ConnectionError {
  const { name } = nameHost(hop);
  const reason =
    `the HOST KEY HAS CHANGED: it shows ${shown}, but ${formatLine(place)} has ${place.type} ` +
    `${formatKeyFingerprint(place.key)}. Someone may be intercepting it; nothing was sent`;
  const next =
    `find out why. If the machine was reinstalled: ssh-keygen -f ${place.file} ` +
    `-R '${name}', then connect once with ${formatSshCommand(hop)}, or make it a node again with muster bootstrap ${where.node}`;
  return new ConnectionError("HOST_KEY_CHANGED", where, reason, { next });
}

function createUnknownKeyError(
  hop: Hop,
  where: NodeStep,
  key: Buffer,
  authority: boolean,
  isDialledFromHere: boolean,
): ConnectionError {
  const shown = formatKey(key);
  const file = hop.userKnownHosts[0];
  if (file === undefined) {
    const reason = `the host key ${shown} is not known, and UserKnownHostsFile none leaves no file to record it in`;
    const next = "set UserKnownHostsFile for this host, or known_hosts in the inventory";
    return new ConnectionError("HOST_KEY_UNKNOWN", where, reason, { next });
  }
  const reason = authority
    ? `the host key ${shown} is not in known_hosts, and its @cert-authority line is ignored: host certificates are not supported`
    : `the host key ${shown} is not in ${file}`;
  const scan = `ssh-keyscan${hop.port === 22 ? "" : ` -p ${hop.port}`} ${hop.host} >> ${file}`;
  // ssh-keyscan dials the machine directly, and prints its address where ssh looks up the alias.
  const isScannable = isDialledFromHere && hop.hostKeyAlias === undefined;
  const ways = [formatSshCommand(hop), ...(isScannable ? [scan] : [])].join(", or ");
  const next = `compare that fingerprint on the machine, then ${ways}; or set host_keys: accept-new`;
  const unknownKey =
    hop.firstContact === undefined
      ? undefined
      : { type: readKeyType(key) ?? "unknown", fingerprint: formatKeyFingerprint(key), isAccepted: hop.acceptsNewKeys };
  return new ConnectionError("HOST_KEY_UNKNOWN", where, reason, { next, unknownKey });
}

function recordHostKey(hop: Hop, key: Buffer, where: NodeStep, file: string): HostKeyCheck {
  const { name } = nameHost(hop);
  const host = hop.hashesNames ? hashHostName(name, randomBytes(20)) : name;
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
    const bytes = readLocalFile(file);
    return bytes.length === 0 || bytes.at(-1) === LINE_FEED;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
    throw error;
  }
}

function readIfThere(file: string): string {
  try {
    return decodeBytes(readLocalFile(file));
  } catch {
    return "";
  }
}

function formatKey(key: Buffer): string {
  return `${readKeyType(key)} ${formatKeyFingerprint(key)}`;
}

function formatLine(entry: KnownHost): string {
  return `${entry.file}:${entry.line}`;
}

/** The name is the one that ~/.ssh/config knows, with its jump hosts and its ProxyCommand. */
function formatSshCommand(hop: Hop): string {
  return `ssh${hop.port === 22 ? "" : ` -p ${hop.port}`} ${hop.user}@${hop.alias}`;
}

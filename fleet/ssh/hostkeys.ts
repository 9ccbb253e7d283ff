import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
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

/** Reads the entries of the hop's known_hosts files; a file that cannot be read counts as empty. */
export function readKnownHosts(hop: Hop): KnownHost[] {
  return [...hop.userKnownHosts, ...hop.globalKnownHosts].flatMap((file) => parseKnownHosts(readIfThere(file), file));
}

/**
 * Checks the key that `hop` presents against known_hosts. Returns undefined if it is trusted, or new and now recorded; else the error
 * (HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, HOST_KEY_REVOKED, CONFIG). Synchronous, so that two connections cannot both record the key.
 */
export function checkHostKey(hop: Hop, where: NodeStep, key: Buffer): ConnectionError | undefined {
  const name = hop.hostKeyAlias ?? hop.host;
  const shown = `${readKeyType(key)} ${formatKeyFingerprint(key)}`;
  const verdict = judgeHostKey(readKnownHosts(hop), name, hop.port, key);
  switch (verdict.kind) {
    case "trusted":
      return undefined;
    case "revoked":
      return new ConnectionError(
        "HOST_KEY_REVOKED",
        where,
        `${formatLine(verdict.place)} revokes the host key ${shown}`,
      );
    case "changed":
      return new ConnectionError(
        "HOST_KEY_CHANGED",
        where,
        `the HOST KEY HAS CHANGED: it shows ${shown}, but ${formatLine(verdict.place)} has ` +
          `${verdict.place.type} ${formatKeyFingerprint(verdict.place.key)}. Someone may be intercepting it; nothing was sent`,
        {
          next:
            `find out why. If the machine was reinstalled: ssh-keygen -f ${verdict.place.file} ` +
            `-R '${formatHostName(name, hop.port)}', then connect once with ${formatSshCommand(hop)}`,
        },
      );
    case "unknown":
      return hop.acceptsNewKeys
        ? recordHostKey(hop, name, key, where)
        : createUnknownKeyError(hop, where, shown, verdict.authority);
  }
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

function recordHostKey(hop: Hop, name: string, key: Buffer, where: NodeStep): ConnectionError | undefined {
  const file = hop.userKnownHosts[0];
  if (file === undefined) return undefined;
  const plain = formatHostName(name, hop.port);
  const host = hop.hashesNames ? hashHostName(plain, randomBytes(20)) : plain;
  const line = `${host} ${readKeyType(key)} ${key.toString("base64")}\n`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const text = readIfThere(file);
    // A single append, because other programs may be adding a line at the same time.
    appendFileSync(file, text === "" || text.endsWith("\n") ? line : `\n${line}`, { mode: 0o600 });
    return undefined;
  } catch (cause) {
    const reason = `the new host key could not be recorded in ${file}: ${(cause as Error).message}`;
    return new ConnectionError("CONFIG", where, reason, { next: `make ${file} writable`, cause });
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
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

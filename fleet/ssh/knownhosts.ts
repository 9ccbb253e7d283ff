import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { ConnectionError, type Where } from "../errors.js";
import type { Hop } from "./config.js";
import { fingerprint, hashName, hostName, judge, type KnownHost, keyType, parseKnownHosts } from "./hostkeys.js";

/** What the hop's known_hosts files say now; files that are not there say nothing. */
export function readKnownHosts(hop: Hop): KnownHost[] {
  return [...hop.userKnownHosts, ...hop.globalKnownHosts].flatMap((file) => parseKnownHosts(contentOf(file), file));
}

/**
 * Whether the key that answers at `hop` is the host's. Undefined: yes, or it was new and is recorded now. Otherwise the error
 * that refuses it. Synchronous from reading to recording, so that two connections cannot both record a key.
 */
export function refuseHostKey(hop: Hop, where: Where, key: Buffer): ConnectionError | undefined {
  const name = hop.keyName ?? hop.host;
  const shown = `${keyType(key)} ${fingerprint(key)}`;
  const verdict = judge(readKnownHosts(hop), name, hop.port, key);
  switch (verdict.kind) {
    case "trusted":
      return undefined;
    case "revoked":
      return new ConnectionError("HOST_KEY_REVOKED", where, `${place(verdict.place)} revokes the host key ${shown}`);
    case "changed":
      return new ConnectionError(
        "HOST_KEY_CHANGED",
        where,
        `the HOST KEY HAS CHANGED: it shows ${shown}, but ${place(verdict.place)} has ` +
          `${verdict.place.type} ${fingerprint(verdict.place.key)}. Someone may be listening in; nothing was sent`,
        {
          next:
            `find out why. If the machine was reinstalled: ssh-keygen -f ${verdict.place.file} ` +
            `-R '${hostName(name, hop.port)}', then connect once with ${sshCommand(hop)}`,
        },
      );
    case "unknown":
      return hop.acceptNew ? record(hop, name, key, where) : unknownKey(hop, where, shown, verdict.authority);
  }
}

function unknownKey(hop: Hop, where: Where, shown: string, authority: boolean): ConnectionError {
  const file = hop.userKnownHosts[0] ?? "~/.ssh/known_hosts";
  const reason = authority
    ? `the host key ${shown} is not in known_hosts; the @cert-authority line for it does not help, host certificates are not read`
    : `the host key ${shown} is not in ${file}`;
  const scan = `ssh-keyscan${hop.port === 22 ? "" : ` -p ${hop.port}`} ${hop.host} >> ${file}`;
  const next = `compare that fingerprint on the machine, then ${sshCommand(hop)}, or ${scan}; or set host_keys: accept-new`;
  return new ConnectionError("HOST_KEY_UNKNOWN", where, reason, { next });
}

function record(hop: Hop, name: string, key: Buffer, where: Where): ConnectionError | undefined {
  const file = hop.userKnownHosts[0];
  if (file === undefined) return undefined;
  const plain = hostName(name, hop.port);
  const host = hop.hashNames ? hashName(plain, randomBytes(20)) : plain;
  const line = `${host} ${keyType(key)} ${key.toString("base64")}\n`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const text = contentOf(file);
    // One write to a file opened for appending: other programs may be adding a line at the same time.
    appendFileSync(file, text === "" || text.endsWith("\n") ? line : `\n${line}`, { mode: 0o600 });
    return undefined;
  } catch (cause) {
    const reason = `the new host key could not be recorded in ${file}: ${(cause as Error).message}`;
    return new ConnectionError("CONFIG", where, reason, { next: `make ${file} writable`, cause });
  }
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function place(entry: KnownHost): string {
  return `${entry.file}:${entry.line}`;
}

function sshCommand(hop: Hop): string {
  return `ssh${hop.port === 22 ? "" : ` -p ${hop.port}`} ${hop.user}@${hop.host}`;
}

import { createHash, createHmac } from "node:crypto";

/** One usable line of a known_hosts file. */
export interface KnownHost {
  file: string;
  line: number;
  marker?: "@revoked" | "@cert-authority";
  /** The comma-separated list of names as written, or one hashed name. */
  hosts: string;
  type: string;
  key: Buffer;
}

/**
 * The verdict on the key that a server presents. `changed`: the entries of the host have other keys only; `place` is one of them.
 * `authority`: the host has a @cert-authority entry, which muster does not support.
 */
export type HostKeyVerdict =
  | { kind: "trusted" }
  | { kind: "unknown"; authority: boolean }
  | { kind: "changed"; place: KnownHost }
  | { kind: "revoked"; place: KnownHost };

/** Parses a known_hosts file (see sshd(8)). Invalid lines are skipped, as ssh does. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split("\n").flatMap((line, index) => {
    const words = line.trim().split(/\s+/);
    if (words[0] === "" || words[0]?.startsWith("#")) return [];
    const marker = words[0]?.startsWith("@") ? words.shift() : undefined;
    if (marker !== undefined && marker !== "@revoked" && marker !== "@cert-authority") return [];
    const [hosts, type, encoded] = words;
    if (hosts === undefined || type === undefined || encoded === undefined) return [];
    const key = Buffer.from(encoded, "base64");
    return readKeyType(key) === type ? [{ file, line: index + 1, marker, hosts, type, key }] : [];
  });
}

/** Formats a host's name as known_hosts has it: the bare name on port 22, else `[host]:port`. */
export function formatHostName(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

/** Judges the key that `host` presents. An entry for the bare name can confirm a key on another port, but not contradict it. */
export function judgeHostKey(known: KnownHost[], host: string, port: number, key: Buffer): HostKeyVerdict {
  const named = known.filter((entry) => matchesHostList(entry.hosts, formatHostName(host, port)));
  const bare = port === 22 ? [] : known.filter((entry) => matchesHostList(entry.hosts, host.toLowerCase()));
  const revoked = [...named, ...bare].find((entry) => entry.marker === "@revoked" && entry.key.equals(key));
  if (revoked !== undefined) return { kind: "revoked", place: revoked };
  const plain = named.filter((entry) => entry.marker === undefined);
  if ([...plain, ...bare.filter((entry) => entry.marker === undefined)].some((entry) => entry.key.equals(key))) {
    return { kind: "trusted" };
  }
  const place = plain.find((entry) => entry.type === readKeyType(key)) ?? plain[0];
  if (place !== undefined) return { kind: "changed", place };
  return { kind: "unknown", authority: named.some((entry) => entry.marker === "@cert-authority") };
}

/** Lists the types of the keys recorded for a host, in the order of the entries. */
export function listRecordedTypes(known: KnownHost[], host: string, port: number): string[] {
  const plain = known.filter((entry) => entry.marker === undefined);
  const named = plain.filter((entry) => matchesHostList(entry.hosts, formatHostName(host, port)));
  const bare = plain.filter((entry) => matchesHostList(entry.hosts, host.toLowerCase()));
  return [...new Set((named.length > 0 ? named : bare).map((entry) => entry.type))];
}

/** Whether a host list of known_hosts matches `name`, which is lower case. A matching negation overrides all other patterns. */
function matchesHostList(hosts: string, name: string): boolean {
  if (hosts.startsWith("|")) return matchesHash(hosts, name);
  const patterns = hosts.toLowerCase().split(",");
  const hit = (pattern: string) => compileWildcard(pattern).test(name);
  if (patterns.some((pattern) => pattern.startsWith("!") && hit(pattern.slice(1)))) return false;
  return patterns.some((pattern) => !pattern.startsWith("!") && hit(pattern));
}

function matchesHash(hosts: string, name: string): boolean {
  const [, version, salt, hash] = hosts.split("|");
  if (version !== "1" || !salt || !hash) return false;
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest().equals(Buffer.from(hash, "base64"));
}

/** Hashes a host's name for known_hosts: `|1|salt|hash`, an HMAC-SHA1 (HashKnownHosts). */
export function hashHostName(name: string, salt: Buffer): string {
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
}

function compileWildcard(pattern: string): RegExp {
  const parts = pattern.replace(/\*+/g, "*").split(/([*?])/);
  const text = parts.map((part) => ({ "*": ".*", "?": "." })[part] ?? part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${text.join("")}$`, "s");
}

/** Reads the type of a public key in SSH wire format; undefined if it is malformed. */
export function readKeyType(key: Buffer): string | undefined {
  const length = key.length < 4 ? 0 : key.readUInt32BE(0);
  return length > 0 && length <= 64 && key.length > 4 + length ? key.toString("latin1", 4, 4 + length) : undefined;
}

/** Formats the fingerprint of a key as ssh and ssh-keygen do: `SHA256:...`. */
export function formatKeyFingerprint(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

const HOST_KEY_ALGORITHMS = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
] as const;

export type HostKeyAlgorithm = (typeof HOST_KEY_ALGORITHMS)[number];

/** Orders the host key algorithms to request: those of recorded keys first, because a server presents only one of its keys. */
export function orderAlgorithms(types: string[]): HostKeyAlgorithm[] {
  const recorded = HOST_KEY_ALGORITHMS.filter((name) => types.includes(name.startsWith("rsa-") ? "ssh-rsa" : name));
  return [...recorded, ...HOST_KEY_ALGORITHMS.filter((name) => !recorded.includes(name))];
}

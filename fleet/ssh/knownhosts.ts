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

/** The names under which known_hosts may list a machine. */
export interface KnownNames {
  /** The name that is looked up and recorded: HostKeyAlias as it is, else the host, as `[host]:port` unless the port is 22. */
  name: string;
  /** The name without its port: its keys count where `name` has none. Never set for a HostKeyAlias. */
  bare?: string;
}

/** Returns the names under which ssh looks a machine up. A HostKeyAlias stands for a machine on any port. */
export function nameHost({
  host,
  port,
  hostKeyAlias,
}: {
  host: string;
  port: number;
  hostKeyAlias?: string;
}): KnownNames {
  if (hostKeyAlias !== undefined) return { name: hostKeyAlias.toLowerCase() };
  const bare = host.toLowerCase();
  return port === 22 ? { name: bare } : { name: `[${bare}]:${port}`, bare };
}

/**
 * Judges the key that a host presents, as ssh does: entries for the bare name count only if there are none for the name with its port,
 * and they can confirm a key, but not contradict it. A key that is revoked under either name is refused.
 */
export function judgeHostKey(known: KnownHost[], { name, bare }: KnownNames, key: Buffer): HostKeyVerdict {
  const named = known.filter((entry) => matchesHostList(entry.hosts, name));
  const without = bare === undefined ? [] : known.filter((entry) => matchesHostList(entry.hosts, bare));
  const revoked = [...named, ...without].find((entry) => entry.marker === "@revoked" && entry.key.equals(key));
  if (revoked !== undefined) return { kind: "revoked", place: revoked };
  const plain = named.filter((entry) => entry.marker === undefined);
  const deciding = plain.length > 0 ? plain : without.filter((entry) => entry.marker === undefined);
  if (deciding.some((entry) => entry.key.equals(key))) return { kind: "trusted" };
  const place = plain.find((entry) => entry.type === readKeyType(key)) ?? plain[0];
  if (place !== undefined) return { kind: "changed", place };
  return { kind: "unknown", authority: [...named, ...without].some((entry) => entry.marker === "@cert-authority") };
}

/** Lists the types of the keys recorded for a host, in the order of the entries. */
export function listRecordedTypes(known: KnownHost[], { name, bare }: KnownNames): string[] {
  const plain = known.filter((entry) => entry.marker === undefined);
  const named = plain.filter((entry) => matchesHostList(entry.hosts, name));
  const without = bare === undefined ? [] : plain.filter((entry) => matchesHostList(entry.hosts, bare));
  return [...new Set((named.length > 0 ? named : without).map((entry) => entry.type))];
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

/** Reads the size of an RSA public key in SSH wire format, in bits; undefined for keys of other types and malformed ones. */
export function readRsaBits(key: Buffer): number | undefined {
  if (readKeyType(key) !== "ssh-rsa") return undefined;
  const [, , modulus] = readFields(key);
  if (modulus === undefined) return undefined;
  const first = modulus.findIndex((byte) => byte !== 0);
  return first === -1 ? 0 : (modulus.length - first) * 8 - (Math.clz32(modulus[first]!) - 24);
}

/** Splits a buffer of SSH strings, each with its length before it. An incomplete last one is left out. */
function readFields(bytes: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    fields.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return fields;
}

import type { Algorithms } from "ssh2";
import { ConnectionError, type NodeStep } from "../connectionerror.js";

/** The algorithms that ssh's configuration allows; undefined where ssh is not installed, so that ssh2's own defaults hold. */
export interface AllowedAlgorithms {
  hostKey?: string[];
  kex?: string[];
  cipher?: string[];
  mac?: string[];
}

/** Host key algorithms of ssh2 that are requested without being configured, in order of preference. */
const DEFAULT_HOST_KEYS = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
];

/** What ssh2 supports, in its own order of preference: the fastest of what both sides allow is used. */
const SUPPORTED: Record<keyof AllowedAlgorithms, { option: string; names: string[] }> = {
  hostKey: { option: "HostKeyAlgorithms", names: [...DEFAULT_HOST_KEYS, "ssh-rsa", "ssh-dss"] },
  kex: {
    option: "KexAlgorithms",
    names: [
      "curve25519-sha256@libssh.org",
      "curve25519-sha256",
      ...["256", "384", "521"].map((bits) => `ecdh-sha2-nistp${bits}`),
      "diffie-hellman-group-exchange-sha256",
      "diffie-hellman-group14-sha256",
      ...["15", "16", "17", "18"].map((group) => `diffie-hellman-group${group}-sha512`),
      "diffie-hellman-group-exchange-sha1",
      "diffie-hellman-group14-sha1",
      "diffie-hellman-group1-sha1",
    ],
  },
  cipher: {
    option: "Ciphers",
    names: [
      ...["128", "256"].map((bits) => `aes${bits}-gcm@openssh.com`),
      ...["128", "192", "256"].map((bits) => `aes${bits}-ctr`),
      "chacha20-poly1305@openssh.com",
      ...["256", "192", "128"].map((bits) => `aes${bits}-cbc`),
      "3des-cbc",
    ],
  },
  mac: {
    option: "MACs",
    names: [
      "hmac-sha2-256-etm@openssh.com",
      "hmac-sha2-512-etm@openssh.com",
      "hmac-sha1-etm@openssh.com",
      "hmac-sha2-256",
      "hmac-sha2-512",
      "hmac-sha1",
      "hmac-md5",
      "hmac-sha1-96",
      "hmac-md5-96",
    ],
  },
};

/**
 * Returns the algorithms to offer to a server: those that both ssh's configuration and ssh2 know. Host key algorithms of `recordedTypes`
 * (types of keys in known_hosts) come first, because a server presents only one of its keys. Throws a ConnectionError (CONFIG) if an
 * option leaves none.
 */
export function chooseAlgorithms(allowed: AllowedAlgorithms, recordedTypes: string[], where: NodeStep): Algorithms {
  const choose = (kind: keyof AllowedAlgorithms) => filterSupported(kind, allowed[kind], where);
  const hostKeys = choose("hostKey") ?? DEFAULT_HOST_KEYS;
  const recorded = hostKeys.filter((name) => recordedTypes.includes(name.startsWith("rsa-") ? "ssh-rsa" : name));
  const chosen = {
    serverHostKey: [...recorded, ...hostKeys.filter((name) => !recorded.includes(name))],
    kex: choose("kex"),
    cipher: choose("cipher"),
    hmac: choose("mac"),
  };
  // The types of ssh2 list names, so that a plain text is none of them.
  return Object.fromEntries(Object.entries(chosen).filter(([, names]) => names !== undefined)) as Algorithms;
}

function filterSupported(
  kind: keyof AllowedAlgorithms,
  allowed: string[] | undefined,
  where: NodeStep,
): string[] | undefined {
  if (allowed === undefined) return undefined;
  const { option, names } = SUPPORTED[kind];
  const both = names.filter((name) => allowed.includes(name));
  if (both.length > 0) return both;
  const reason = `${option} allows only ${allowed.join(", ")}, and muster supports none of them`;
  throw new ConnectionError("CONFIG", where, reason, {
    next: `add one of ${names.slice(0, 6).join(", ")} to ${option}`,
  });
}

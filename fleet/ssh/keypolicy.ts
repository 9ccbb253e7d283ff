import { existsSync } from "node:fs";
import type { ParsedKey } from "ssh2";
import type { Hop } from "./hop.js";
import { readRsaBits } from "./knownhosts.js";

/** The signature algorithms of RSA keys, whose type is ssh-rsa in all of them. */
const RSA_ALGORITHMS = ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"];

/** Lists what ssh might log in with and muster cannot: certificates, and keys of a PKCS#11 library. For error messages. */
export function listUnusedSettings(hop: Pick<Hop, "certificateFiles" | "keyFiles" | "keyProvider">): string[] {
  const certificates = [...hop.certificateFiles, ...hop.keyFiles.map((path) => `${path}-cert.pub`)].filter(existsSync);
  const unused = certificates.map((path) => `${path} is a certificate, which muster does not support`);
  if (hop.keyProvider === undefined) return unused;
  const next = `load its keys into an agent: ssh-add -s ${hop.keyProvider}`;
  return [...unused, `PKCS11Provider ${hop.keyProvider} is not used (${next})`];
}

/** Returns why ssh's configuration forbids to log in with a key; undefined if it does not. */
export function rejectKey(
  key: ParsedKey,
  { keyAlgorithms, minRsaBits }: Pick<Hop, "keyAlgorithms" | "minRsaBits">,
): string | undefined {
  const algorithms = key.type === "ssh-rsa" ? RSA_ALGORITHMS : [key.type];
  if (keyAlgorithms !== undefined && !algorithms.some((name) => keyAlgorithms.includes(name)))
    return `is an ${key.type} key, which PubkeyAcceptedAlgorithms excludes`;
  const bits = readRsaBits(key.getPublicSSH());
  return bits === undefined || bits >= minRsaBits
    ? undefined
    : `has ${bits} bits, and RequiredRSASize is ${minRsaBits}`;
}

/**
 * Returns a private key that makes no SHA-1 signatures unless PubkeyAcceptedAlgorithms allows them: ssh2 falls back to them where a
 * server does not announce its algorithms, and ssh does not. `sign` returns an Error then, after which ssh2 tries the next key.
 */
export function restrictSignatures(key: ParsedKey, hop: Pick<Hop, "keyAlgorithms">): ParsedKey {
  if (allowsSha1(key, hop)) return key;
  const sign = (data: Buffer | string, algorithm?: string): Buffer | Error =>
    algorithm === "sha1" ? new Error("PubkeyAcceptedAlgorithms excludes ssh-rsa (SHA-1)") : key.sign(data, algorithm);
  return Object.create(key, { sign: { value: sign } });
}

/** Whether a key may make SHA-1 signatures, if it can make any. */
export function allowsSha1(key: ParsedKey, { keyAlgorithms }: Pick<Hop, "keyAlgorithms">): boolean {
  return key.type !== "ssh-rsa" || keyAlgorithms === undefined || keyAlgorithms.includes("ssh-rsa");
}

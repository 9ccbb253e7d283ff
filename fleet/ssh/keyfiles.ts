import { existsSync } from "node:fs";
import ssh2, { type ParsedKey } from "ssh2";
import { describeSystemError } from "../../schemas/systemerror.js";
import { readLocalFile } from "../local/readlocalfile.js";

/** The content of a key file: a private key, or only its public half and the reason why the private one cannot be used. */
export type KeyFile =
  | { path: string; private: ParsedKey }
  | { path: string; public?: Buffer; problem: string; next: string };

/** Reads a key file. undefined: neither it nor `path.pub` exists; the latter is enough for a key that an agent holds. */
export function readKeyFile(path: string): KeyFile | undefined {
  let text: string;
  try {
    text = readLocalFile(path).toString("utf8");
  } catch (error) {
    const refusal = describeSystemError(error);
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (refusal === undefined || (isMissing && !existsSync(`${path}.pub`))) return undefined;
    return { path, public: readPublicHalf(path), problem: refusal.reason, next: refusal.hint };
  }
  const parsed = parseFirstKey(text);
  if (!parsed.ok) return { path, public: readPublicHalf(path), ...explainUnusableKey(path, text, parsed.error) };
  return parsed.key.isPrivateKey() ? { path, private: parsed.key } : createPublicOnly(path, parsed.key);
}

/** Explains why a key file cannot be used, and what to do about it. */
function explainUnusableKey(path: string, text: string, error: Error): { problem: string; next: string } {
  if (/ENCRYPTED|passphrase/i.test(error.message) || text.includes("ENCRYPTED")) {
    return { problem: "is encrypted, and no agent holds it", next: `load it into an agent: ssh-add ${path}` };
  }
  if (text.includes("BEGIN PRIVATE KEY")) {
    return { problem: "is a PKCS#8 key, which cannot be used", next: `convert it in place: ssh-keygen -p -f ${path}` };
  }
  return { problem: `cannot be used: ${error.message}`, next: "use an ed25519, ECDSA or RSA key in OpenSSH's format" };
}

function createPublicOnly(path: string, key: ParsedKey): KeyFile {
  if (key.type.includes("-cert-")) {
    const problem = "is a certificate, which muster does not support";
    return { path, problem, next: "name the private key, and put its public key into authorized_keys on the node" };
  }
  const problem = "is a public key, and no agent holds its private half";
  return { path, public: key.getPublicSSH(), problem, next: "name the private key, the file without .pub" };
}

function readPublicHalf(path: string): Buffer | undefined {
  try {
    const parsed = parseFirstKey(readLocalFile(`${path}.pub`));
    return parsed.ok ? parsed.key.getPublicSSH() : undefined;
  } catch {
    return undefined;
  }
}

/** Parses the first key of a text, public or private. */
export function parseFirstKey(content: string | Buffer): { ok: true; key: ParsedKey } | { ok: false; error: Error } {
  const parsed = ssh2.utils.parseKey(content);
  if (parsed instanceof Error) return { ok: false, error: parsed };
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  return key === undefined ? { ok: false, error: new Error("no key in it") } : { ok: true, key };
}

import { readFileSync } from "node:fs";
import type { ParsedKey } from "ssh2";
import { MusterError } from "../../schemas/errors.js";
import { describeSystemError } from "../../schemas/systemerror.js";
import type { Hop } from "./hop.js";
import { parseFirstKey, readKeyFile } from "./keyfiles.js";
import { rejectKey } from "./keypolicy.js";
import { formatKeyFingerprint } from "./knownhosts.js";
import { listAgentKeys } from "./sshagent.js";

/** A public key of ours. */
export interface PublicKey {
  type: string;
  /** The key in base64, as authorized_keys has it. */
  encoded: string;
  comment: string;
  fingerprint: string;
}

/**
 * Finds the public key of the first key that can log in: that of a key file with a private key or one that the agent holds, else the agent's
 * first. undefined: there is none.
 */
export async function findUsablePublicKey(hop: Hop): Promise<PublicKey | undefined> {
  const held = hop.agentSocket === undefined ? [] : await listAgentKeys(hop.agentSocket).catch(() => []);
  const isAllowed = (key: ParsedKey) => rejectKey(key, hop) === undefined;
  for (const path of hop.keyFiles) {
    const file = readKeyFile(path);
    if (file === undefined) continue;
    const key = "private" in file ? file.private : held.find((one) => file.public?.equals(one.getPublicSSH()));
    if (key !== undefined && isAllowed(key)) return toPublicKey(key);
  }
  const first = hop.usesOnlyKeyFiles ? undefined : held.find(isAllowed);
  return first && toPublicKey(first);
}

/** Reads a public key from its file (`id_ed25519.pub`). Throws a MusterError (UNSUPPORTED_KEY). */
export function readPublicKeyFile(path: string): PublicKey {
  const refuse = (reason: string, next: string) => new MusterError("UNSUPPORTED_KEY", `${path} ${reason}`, { next });
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const refusal = describeSystemError(error);
    if (refusal === undefined) throw error;
    throw refuse(refusal.reason, refusal.hint);
  }
  const parsed = parseFirstKey(text);
  if (/PRIVATE KEY/.test(text)) throw refuse("is a private key", "Name the public one, the file that ends in .pub.");
  if (!parsed.ok)
    throw refuse(`holds no public key: ${parsed.error.message}`, "Name a file such as ~/.ssh/id_ed25519.pub.");
  return toPublicKey(parsed.key);
}

function toPublicKey(key: ParsedKey): PublicKey {
  const bytes = key.getPublicSSH();
  const comment = (key.comment ?? "")
    .replace(/[^\x20-\x7e]+/g, " ")
    .trim()
    .slice(0, 100);
  return { type: key.type, encoded: bytes.toString("base64"), comment, fingerprint: formatKeyFingerprint(bytes) };
}

/** The line of authorized_keys for a key. */
export function formatAuthorizedKey({ type, encoded, comment }: PublicKey): string {
  return [type, encoded, comment].filter((word) => word !== "").join(" ");
}

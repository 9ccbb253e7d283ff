import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { readKeyType } from "./knownhosts.js";

/** The first bytes of an OpenSSH key revocation list. */
const LIST_MAGIC = "SSHKRL\n\0";

/** How long ssh-keygen may take to read a revocation list. */
const LIST_TIMEOUT_MS = 10_000;

/**
 * Whether a file of RevokedHostKeys holds a key. The file lists public keys, one a line, or is a key revocation list, which ssh-keygen
 * reads. Rejects if the file cannot be read; ssh refuses all host keys then.
 */
export async function isKeyRevoked(file: string, key: Buffer): Promise<boolean> {
  const bytes = await readFile(file);
  if (bytes.subarray(0, LIST_MAGIC.length).toString("latin1") === LIST_MAGIC) return isOnRevocationList(file, key);
  const lines = bytes.toString("latin1").split("\n");
  return lines.some((line) => parsePublicKey(line)?.equals(key));
}

function parsePublicKey(line: string): Buffer | undefined {
  const [type, encoded] = line.trim().split(/\s+/);
  if (type === undefined || encoded === undefined) return undefined;
  const key = Buffer.from(encoded, "base64");
  return readKeyType(key) === type ? key : undefined;
}

/** Asks ssh-keygen, which exits with 0 only if the list is valid and does not revoke the key. */
function isOnRevocationList(file: string, key: Buffer): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const words = ["-Q", "-f", file, "/dev/stdin"];
    const child = execFile("ssh-keygen", words, { timeout: LIST_TIMEOUT_MS }, (error, stdout, stderr) => {
      if (error === null) resolve(false);
      else if (error.code === 1 && /: REVOKED\s*$/.test(stdout)) resolve(true);
      else reject(new Error(stderr.trim() || error.message));
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(`${readKeyType(key)} ${key.toString("base64")}\n`);
  });
}

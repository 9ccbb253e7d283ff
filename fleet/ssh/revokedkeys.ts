import { spawnSync } from "node:child_process";
import { readLocalFile } from "../local/readlocalfile.js";
import { readKeyType } from "./knownhosts.js";

/** The first bytes of an OpenSSH key revocation list. */
const LIST_MAGIC = "SSHKRL\n\0";

/** How long ssh-keygen may take to read a revocation list. */
const LIST_TIMEOUT_MS = 10_000;

/**
 * Whether a file of RevokedHostKeys holds a key. The file lists public keys, one a line, or is a key revocation list, which ssh-keygen
 * reads. Throws an Error if the file cannot be read; ssh refuses all host keys then. Synchronous, because ssh2 loses data where it waits
 * for a verdict while keys are renewed.
 */
export function isKeyRevoked(file: string, key: Buffer): boolean {
  const bytes = readLocalFile(file);
  if (bytes.subarray(0, LIST_MAGIC.length).toString("latin1") === LIST_MAGIC) return isOnRevocationList(file, key);
  const lines = bytes.toString("latin1").split("\n");
  return lines.some((line, index) => !/^[ \t]*(#|\r?$)/.test(line) && parsePublicKey(line, index + 1).equals(key));
}

function parsePublicKey(line: string, number: number): Buffer {
  const [type, encoded] = line.trim().split(/\s+/);
  const key = Buffer.from(encoded ?? "", "base64");
  if (readKeyType(key) !== type) throw new Error(`line ${number} is not a public key`);
  return key;
}

/** Asks ssh-keygen, which exits with 0 only if the list is valid and does not revoke the key. */
function isOnRevocationList(file: string, key: Buffer): boolean {
  // Through a pipe, because Node.js passes a socket as standard input, and /dev/stdin cannot open one.
  const words = ["-c", `printf '%s\\n' "$1" | ssh-keygen -Q -f "$2" /dev/stdin`, "sh"];
  const line = `${readKeyType(key)} ${key.toString("base64")}`;
  const { status, stdout, stderr, error } = spawnSync("/bin/sh", [...words, line, file], {
    encoding: "utf8",
    timeout: LIST_TIMEOUT_MS,
  });
  if (status === 0) return false;
  if (status === 1 && /: REVOKED\s*$/.test(stdout)) return true;
  throw error ?? new Error(stderr.trim() || `ssh-keygen ended with exit code ${status}`);
}

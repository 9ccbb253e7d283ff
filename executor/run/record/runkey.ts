import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

const KEY_BYTES = 32;

/**
 * Returns the secret key that signs the attempt ids of a run directory, from a file that only its owner may read. Creates a key if there
 * is no valid one; attempts that a lost key signed are dropped and computed again.
 */
export function openRunKey(path: string): Buffer {
  const file = join(path, ".key");
  const stored = existsSync(file) ? Buffer.from(readFileSync(file, "utf8").trim(), "hex") : undefined;
  if (stored?.length === KEY_BYTES) return stored;
  const key = randomBytes(KEY_BYTES);
  const fd = openSync(file, "w", 0o600);
  try {
    writeSync(fd, `${key.toString("hex")}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return key;
}

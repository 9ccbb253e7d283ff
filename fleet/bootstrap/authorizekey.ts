import { MusterError } from "../../schemas/errors.js";
import type { Connection } from "../connection.js";
import { formatAuthorizedKey, type PublicKey } from "../ssh/publickey.js";
import type { PathState } from "./machinestate.js";
import { createStepError } from "./rootaccess.js";

const SECONDS = 30;

/**
 * Adds a line behind what authorized_keys has, byte for byte, in a copy that then takes its place: a disk that is full or a connection that
 * breaks leaves the file as it was. `cp -p` keeps owner and mode.
 */
const ADD_LINE = `set -e
export LC_ALL=C
umask 077
mkdir -p "$HOME/.ssh"
file=$HOME/.ssh/authorized_keys
[ ! -e "$file" ] || file=$(readlink -f "$file")
new=$file.muster-$$
trap 'rm -f "$new"' EXIT
if [ -e "$file" ]; then cp -p "$file" "$new"; else : >"$new"; fi
if [ -s "$new" ] && [ "$(tail -c 1 "$new" | wc -l)" -eq 0 ]; then echo >>"$new"; fi
printf '%s\\n' "$1" >>"$new"
sync "$new" 2>/dev/null || :
mv -f "$new" "$file"`;

/** Adds our public key to the user's authorized_keys. Rejects with a MusterError (NO_SPACE, READ_ONLY, COMMAND, LOST, TIMEOUT). */
export async function authorizeKey(connection: Connection, key: PublicKey): Promise<void> {
  const argv = ["/bin/sh", "-c", ADD_LINE, "sh", formatAuthorizedKey(key)];
  const result = await connection.exec(argv, { timeout: SECONDS });
  if (result.kind === "exit" && result.code === 0) return;
  throw createStepError(
    connection.node.name,
    "public key",
    result,
    "Check that the user can write ~/.ssh/authorized_keys there.",
  );
}

/** Gives paths of the user these modes. Rejects with a MusterError. */
export async function setModes(connection: Connection, paths: readonly PathState[]): Promise<void> {
  for (const { path, mode } of paths) {
    const result = await connection.exec(["chmod", formatMode(mode), path], { timeout: SECONDS });
    if (result.kind !== "exit" || result.code !== 0)
      throw createStepError(
        connection.node.name,
        "public key",
        result,
        `Run as root there: chmod ${formatMode(mode)} ${path}`,
      );
  }
}

/** Formats permission bits as chmod takes them. Pure. */
export function formatMode(mode: number): string {
  return mode.toString(8).padStart(3, "0");
}

/** Creates the error of a key that authorized_keys has, and sshd does not take. Pure. */
export function createUnacceptedKeyError(node: string, reason: string): MusterError {
  return new MusterError("AUTH", `public key: it is in ~/.ssh/authorized_keys, and sshd does not take it: ${reason}`, {
    node,
    next: "Look at sshd's log there (journalctl -u ssh): AuthorizedKeysFile may name another file, or PubkeyAuthentication be off.",
  });
}

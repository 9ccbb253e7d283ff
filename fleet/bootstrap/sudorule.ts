import { MusterError } from "../../schemas/errors.js";
import type { Connection } from "../connection.js";
import type { formatSudoRule } from "./decidesteps.js";
import { createStepError, type RootAccess, runWithRoot, SUDO_SECONDS } from "./rootaccess.js";

/** sudo reads no file with a dot in its name, so the new one has no effect until visudo has read it and it has its name. */
const SET_RULE = `set -e
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
if [ ! -d "\${1%/*}" ]; then echo "there is no folder \${1%/*}" >&2; exit 1; fi
new=\${1%/*}/.muster-new.$$
trap 'rm -f "$new"' EXIT
umask 337
printf '%s' "$2" >"$new"
visudo -c -q -f "$new" >&2
mv -f "$new" "$1"`;

/**
 * Sets a rule of sudo in a file of its own, after visudo has accepted it, and proves that sudo follows it. A rule without effect is removed
 * again. Rejects with a MusterError.
 */
export async function setSudoRule(
  connection: Connection,
  access: RootAccess,
  { file, text, rule }: ReturnType<typeof formatSudoRule>,
): Promise<void> {
  const node = connection.node.name;
  const set = await runWithRoot(connection, access, ["/bin/sh", "-c", SET_RULE, "sh", file, text], SUDO_SECONDS);
  if (set.kind !== "exit" || set.code !== 0)
    throw createStepError(
      node,
      "sudo",
      set,
      `Add the line \`${rule}\` there by hand (visudo), then run the same command again.`,
    );
  const proof = await connection.exec(["sudo", "-k", "-n", "true"], { timeout: SUDO_SECONDS });
  if (proof.kind === "exit" && proof.code === 0) return;
  await runWithRoot(connection, access, ["rm", "-f", file], SUDO_SECONDS);
  throw new MusterError(
    "SUDO",
    `sudo: it still asks for a password with the rule in ${file}, which was removed again`,
    {
      node,
      next: "A later rule may override it, or /etc/sudoers not include /etc/sudoers.d: look there with visudo.",
    },
  );
}

import type { Connection } from "../../../fleet/connection.js";
import { MusterError } from "../../../schemas/errors.js";

const CHECK_TIMEOUT_SECONDS = 30;

/** Exits with a key of FAULTS where programs cannot start in the folder $1. */
const CHECK_SCRIPT = `case $1 in "~") d=$HOME;; "~/"*) d=$HOME/\${1#??};; *) d=$1;; esac
[ -e "$d" ] || exit 3
[ -d "$d" ] || exit 4
cd "$d" || exit 5`;

const FAULTS: Readonly<Record<number, string>> = {
  3: "does not exist",
  4: "is not a folder",
  5: "cannot be entered by this user",
};

/** Checks that a node has the folder in which a job's programs run. Rejects with NO_DIRECTORY, LOST or TIMEOUT. */
export async function checkDirectory(connection: Connection, directory: string): Promise<void> {
  const { node } = connection;
  const argv = ["sh", "-c", CHECK_SCRIPT, "sh", directory];
  const outcome = await connection.exec(argv, { timeout: CHECK_TIMEOUT_SECONDS });
  if (outcome.kind === "exit" && outcome.code === 0) return;
  if (outcome.kind === "lost") throw new MusterError("LOST", outcome.reason, { node: node.name });
  if (outcome.kind === "timeout") {
    const message = `directory ${directory} was not found within ${outcome.seconds} s`;
    throw new MusterError("TIMEOUT", message, { node: node.name });
  }
  const fault = (outcome.kind === "exit" && FAULTS[outcome.code]) || `cannot be checked: ${outcome.stderr.trim()}`;
  throw new MusterError("NO_DIRECTORY", `directory ${directory} ${fault}`, {
    node: node.name,
    next: "Put it there with the playbook files, with git, or by hand. Or remove `directory`, so that muster copies the project there.",
  });
}

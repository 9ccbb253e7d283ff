import { createStepError, explainSudoRefusal, type RootAccess, runWithRoot } from "../../fleet/bootstrap/rootaccess.js";
import type { CommandResult, Connection } from "../../fleet/connection.js";
import { MusterError } from "../../schemas/errors.js";
import { aptInstallCommand, aptUpdateCommand } from "./aptcommands.js";
import { explainAptFailure } from "./aptfailure.js";

const INSTALL_SECONDS = 900;
const NEXT = "Install python3 (3.8 or later) there by hand, then run the same command again.";

/**
 * Installs python3 on a machine that has none, with apt or dnf; where apt does not know the package, after it has read its lists again.
 * Rejects with a MusterError that says why it failed.
 */
export async function installPython(connection: Connection, access: RootAccess, manager: "apt" | "dnf"): Promise<void> {
  const run = (argv: readonly string[]) => runWithRoot(connection, access, argv, INSTALL_SECONDS);
  const node = connection.node.name;
  const change = {
    name: "python3",
    have: "absent",
    want: "present",
    action: { kind: "install" },
    setsHold: false,
  } as const;
  if (manager === "dnf") {
    const done = await run(["env", "LC_ALL=C.UTF-8", "dnf", "-y", "-q", "install", "python3"]);
    if (!hasSucceeded(done)) throw createStepError(node, "python3", done, NEXT);
    return;
  }
  let done = await run(aptInstallCommand([change]));
  if (!hasSucceeded(done) && explainAptFailure(`${done.stdout}\n${done.stderr}`).isStale) {
    const updated = await run(aptUpdateCommand());
    if (!hasSucceeded(updated)) throw explain(node, updated);
    done = await run(aptInstallCommand([change]));
  }
  if (!hasSucceeded(done)) throw explain(node, done);
}

function hasSucceeded(result: CommandResult): boolean {
  return result.kind === "exit" && result.code === 0;
}

function explain(node: string, result: CommandResult): MusterError {
  if (result.kind !== "exit" || explainSudoRefusal(result.stderr) !== undefined)
    return createStepError(node, "python3", result, NEXT);
  const { message, next } = explainAptFailure(`${result.stdout}\n${result.stderr}`);
  return new MusterError("COMMAND", `python3: apt-get could not install it: ${message}`, { node, next: next ?? NEXT });
}

import { MusterError } from "../../schemas/errors.js";
import type { ChangeContext } from "../engine/resource.js";
import {
  aptHoldCommands,
  aptInstallCommand,
  aptSimulateCommand,
  aptUpdateCommand,
  findUnknownName,
  listHeldChanges,
  listUnwantedRemovals,
} from "./aptcommands.js";
import type { PackageChange, PackageState } from "./packagestate.js";
import { runApt, tryApt } from "./runapt.js";

/**
 * Installs, removes and holds packages in one transaction. Rejects with a MusterError: REFUSED where the node has no apt, or where other packages
 * would be removed or changed; COMMAND, SUDO. `mayRemove`: of packages that have to go, and are not named.
 */
export async function changePackages(
  changes: readonly PackageChange[],
  { manager, holds }: PackageState,
  context: ChangeContext,
  mayRemove: (name: string) => boolean = () => false,
): Promise<void> {
  if (manager !== "apt")
    throw new MusterError("REFUSED", `muster changes packages with apt only, and this node has ${manager ?? "none"}`, {
      next: "Install them there with its own package manager; muster verifies them.",
    });
  if (changes.some(({ action }) => action !== undefined)) {
    const refusal = findRefusal(await simulate(changes, context), changes, holds, mayRemove);
    if (refusal !== undefined) throw refusal;
    await runApt(aptInstallCommand(changes), context);
  }
  for (const command of aptHoldCommands(changes)) await runApt(command, context);
}

/** Pure: returns why a simulated transaction must not happen; undefined = it may. */
function findRefusal(
  simulation: string,
  changes: readonly PackageChange[],
  holds: ReadonlySet<string>,
  mayRemove: (name: string) => boolean,
): MusterError | undefined {
  const unknown = findUnknownName(simulation, changes);
  if (unknown !== undefined)
    return new MusterError("REFUSED", `there is no package ${unknown}; apt would install others in its place`, {
      next: "Write the whole name of a package; one that others provide has no state of its own.",
    });
  const removed = listUnwantedRemovals(simulation, changes).filter((name) => !mayRemove(name));
  if (removed.length > 0)
    return new MusterError("REFUSED", `apt would also remove ${removed.join(", ")}`, {
      next: "Say that they may go (`absent` in packages), or change what conflicts with them.",
    });
  const held = listHeldChanges(simulation, changes, holds);
  if (held.length === 0) return undefined;
  return new MusterError("REFUSED", `apt would also change ${held.join(", ")}, which somebody holds`, {
    next: "Say `hold: true` for them in packages, so that muster may change them, or `apt-mark unhold` them there.",
  });
}

/** Reads the lists of packages again if they may be why it fails. */
async function simulate(changes: readonly PackageChange[], context: ChangeContext): Promise<string> {
  const first = await tryApt(aptSimulateCommand(changes), context);
  if (first.failure === undefined) return first.output;
  if (first.failure.isStale) await runApt(aptUpdateCommand(), context);
  return runApt(aptSimulateCommand(changes), context);
}

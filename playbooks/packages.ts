import type { WantedPackage } from "../fleet/nodestate.js";
import { MusterError } from "../schemas/errors.js";
import type { ChangeContext, CommandState, PlaybookContext, Resource } from "./engine/resource.js";
import {
  aptHoldCommands,
  aptInstallCommand,
  aptSimulateCommand,
  aptUpdateCommand,
  findUnknownName,
  listHeldChanges,
  listUnwantedRemovals,
} from "./packages/aptcommands.js";
import { packageSourceResource, SOURCE_PREFIX } from "./packages/packagesource.js";
import {
  formatPackageDifferences,
  LOOK_SCRIPT,
  listPackageChanges,
  type PackageChange,
  type PackageState,
  parsePackageState,
} from "./packages/packagestate.js";
import { runApt, tryApt } from "./packages/runapt.js";

const LOOK_TIMEOUT_SECONDS = 20;

/** Keeps package sources, and packages and their versions: `package_sources` and `packages` of the inventory. */
export default function* packages({ node }: PlaybookContext): Generator<Resource> {
  const { packageSources, packages: wanted } = node.state;
  const sources = Object.entries(packageSources).map(([name, source]) => packageSourceResource(name, source));
  yield* sources as Resource[];
  if (Object.keys(wanted).length > 0)
    yield packagesResource(wanted, {
      after: Object.keys(packageSources).map((name) => SOURCE_PREFIX + name),
    }) as Resource;
}

/**
 * Returns a resource for packages of the distribution, which are changed in one transaction. A change never removes a package that is not
 * said to be absent, and keeps configuration files that somebody has edited.
 */
export function packagesResource(
  wanted: Readonly<Record<string, WantedPackage>>,
  { after = [] }: { after?: string[] } = {},
): Resource<CommandState> {
  const argv = ["/bin/sh", "-c", LOOK_SCRIPT, "look", ...Object.keys(wanted)];
  return {
    name: "packages",
    probe: { ask: "command", argv, timeout: LOOK_TIMEOUT_SECONDS },
    diff: ({ stdout }) => {
      const state = parsePackageState(stdout);
      if (state.manager === undefined)
        return [{ what: "package manager", have: "none that muster knows", want: "apt or dnf" }];
      return formatPackageDifferences(listPackageChanges(wanted, state));
    },
    change: async ({ stdout }, context) => {
      const state = parsePackageState(stdout);
      if (state.manager !== "apt")
        throw new MusterError(
          "REFUSED",
          `muster changes packages with apt only, and this node has ${state.manager ?? "none"}`,
          {
            next: "Install them there with its own package manager; muster verifies them.",
          },
        );
      await changeWithApt(listPackageChanges(wanted, state), state, context);
    },
    after,
  };
}

async function changeWithApt(
  changes: readonly PackageChange[],
  { holds }: PackageState,
  context: ChangeContext,
): Promise<void> {
  if (changes.some(({ action }) => action !== undefined)) {
    const refusal = findRefusal(await simulate(changes, context), changes, holds);
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
): MusterError | undefined {
  const unknown = findUnknownName(simulation, changes);
  if (unknown !== undefined)
    return new MusterError("REFUSED", `there is no package ${unknown}; apt would install others in its place`, {
      next: "Write the whole name of a package; one that others provide has no state of its own.",
    });
  const removed = listUnwantedRemovals(simulation, changes);
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

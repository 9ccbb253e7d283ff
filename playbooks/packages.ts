import type { WantedPackage } from "../fleet/nodestate.js";
import type { CommandState, PlaybookContext, Resource } from "./engine/resource.js";
import { changePackages } from "./packages/changepackages.js";
import { packageSourceResource, SOURCE_PREFIX } from "./packages/packagesource.js";
import { diffPackages, LOOK_SCRIPT, listPackageChanges, parsePackageState } from "./packages/packagestate.js";

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
    diff: ({ stdout }) => diffPackages(wanted, parsePackageState(stdout)),
    change: async ({ stdout }, context) => {
      const state = parsePackageState(stdout);
      await changePackages(listPackageChanges(wanted, state), state, context);
    },
    after,
  };
}

import type { WantedPackage } from "../../fleet/nodestate.js";
import type { CommandState, Resource } from "../engine/resource.js";
import { changePackages } from "../packages/changepackages.js";
import {
  diffPackages,
  LOOK_SCRIPT,
  listPackageChanges,
  type PackageState,
  parsePackageState,
} from "../packages/packagestate.js";

const LOOK_TIMEOUT_SECONDS = 20;
/** dpkg-query takes it for a pattern. */
const ALL_DRIVERS = "nvidia-driver-[0-9]*";

/** The packages of a branch of NVIDIA's driver. */
export interface WantedDriverPackages {
  /** The name of the resource. */
  name: string;
  packages: readonly string[];
  /** The branch, "550"; undefined: packages of other branches stay. */
  driver?: string;
  hold: boolean;
}

/**
 * Returns a resource for the packages of a branch of NVIDIA's driver. Those of other branches, which conflict with it, are removed in the same
 * transaction, while nothing computes on the node.
 */
export function driverPackagesResource({ name, packages, driver, hold }: WantedDriverPackages): Resource<CommandState> {
  const want = (state: PackageState): Record<string, WantedPackage> => ({
    ...Object.fromEntries(packages.map((one) => [one, { hold }])),
    ...Object.fromEntries(listOtherDrivers(state, driver).map((one) => [one, "absent" as const])),
  });
  return {
    name,
    probe: {
      ask: "command",
      argv: ["/bin/sh", "-c", LOOK_SCRIPT, "look", ...packages, ALL_DRIVERS],
      timeout: LOOK_TIMEOUT_SECONDS,
    },
    diff: ({ stdout }) => {
      const state = parsePackageState(stdout);
      return diffPackages(want(state), state);
    },
    change: async ({ stdout }, context) => {
      const state = parsePackageState(stdout);
      const mayRemove = (one: string) => isOfOtherBranch(one, driver);
      await changePackages(listPackageChanges(want(state), state), state, context, mayRemove);
    },
    idle: ({ stdout }) => {
      const state = parsePackageState(stdout);
      return listPackageChanges(want(state), state).some(({ action }) => action !== undefined);
    },
  };
}

/** Pure: the installed drivers of other branches, without their architecture. */
function listOtherDrivers({ versions }: PackageState, driver: string | undefined): string[] {
  const names = [...versions.keys()].filter((one) => !one.includes(":") && one.startsWith("nvidia-driver-"));
  return names.filter((one) => isOfOtherBranch(one, driver));
}

/** Pure: whether a package of NVIDIA is of another branch: libnvidia-compute-535-server, xserver-xorg-video-nvidia-535. */
function isOfOtherBranch(name: string, driver: string | undefined): boolean {
  const branch =
    /^(?:lib|xserver-xorg-video-|linux-(?:modules|objects|signatures)-)?nvidia-(?:.*-)?(\d{3,4})(?:-.*)?$/.exec(
      name,
    )?.[1];
  return driver !== undefined && branch !== undefined && branch !== driver;
}

import { MusterError } from "../../schemas/errors.js";
import type { ChangeContext, CommandState, Difference, Resource } from "../engine/resource.js";
import { aptUpdateCommand } from "./aptcommands.js";
import { changePackages } from "./changepackages.js";
import { diffPackages, LOOK_SCRIPT, listPackageChanges, type PackageState, parsePackageState } from "./packagestate.js";
import { runApt } from "./runapt.js";

const LOOK_TIMEOUT_SECONDS = 20;
/** Adds the versions that apt could install, a line each: ` name | version | uri suite Packages`. */
const OFFERS_SCRIPT = `${LOOK_SCRIPT.replace(/exit 0$/, "")}
apt-cache madison "$@" 2>/dev/null | sed 's/^/offer /'
exit 0`;

/** Packages of one release of a repository. */
export interface WantedReleasePackages {
  /** The name of the resource. */
  name: string;
  packages: readonly string[];
  /** The URI of the repository, which holds one release only. */
  uri: string;
  /** How the release is called in messages: "ROCm 6.4.3". */
  release: string;
  hold: boolean;
  after: string[];
}

/**
 * Returns a resource for packages in the version that a repository of one release has, newer or older than what is installed. They are
 * changed in one transaction, while nothing computes on the node.
 */
export function releasePackagesResource(want: WantedReleasePackages): Resource<CommandState> {
  const { name, packages, uri, release, hold, after } = want;
  const argv = ["/bin/sh", "-c", OFFERS_SCRIPT, "look", ...packages];
  const probe = { ask: "command", argv, timeout: LOOK_TIMEOUT_SECONDS } as const;
  /** The lists of packages may be older than the source. */
  const refreshOffers = async (offers: Offers, context: ChangeContext): Promise<Offers> => {
    if (offers.missing.length === 0) return offers;
    await runApt(aptUpdateCommand(), context);
    return readOffers(packages, uri, (await context.ask<CommandState>(probe)).stdout);
  };
  return {
    name,
    probe,
    diff: ({ stdout }) => {
      const { versions, missing, state } = readOffers(packages, uri, stdout);
      const unknown = missing.map((one) => describeUnoffered(one, release, state));
      return [...unknown, ...diffPackages(wantVersions(versions, hold), state)];
    },
    change: async ({ stdout }, context) => {
      const { versions, missing, state } = await refreshOffers(readOffers(packages, uri, stdout), context);
      if (missing.length > 0)
        throw new MusterError("REFUSED", `${uri} has no package ${missing.join(", ")} for this node`, {
          next: `Check the release, the suite and the names of the packages; \`apt-cache madison ${missing[0]}\` there says where it is.`,
        });
      await changePackages(listPackageChanges(wantVersions(versions, hold), state), state, context);
    },
    after,
    idle: ({ stdout }) => {
      const { versions, missing, state } = readOffers(packages, uri, stdout);
      const changes = listPackageChanges(wantVersions(versions, hold), state);
      return missing.length > 0 || changes.some(({ action }) => action !== undefined);
    },
  };
}

/** The versions of a repository, by package, and the packages that it does not have. */
interface Offers {
  versions: ReadonlyMap<string, string>;
  missing: readonly string[];
  state: PackageState;
}

/** Pure: reads what OFFERS_SCRIPT prints. Of several versions in the repository, the first one is the newest. */
function readOffers(packages: readonly string[], uri: string, answer: string): Offers {
  const versions = new Map<string, string>();
  for (const line of answer.split("\n").filter((one) => one.startsWith("offer "))) {
    const [name, version, source] = line
      .slice("offer ".length)
      .split("|")
      .map((word) => word.trim());
    if (name === undefined || version === undefined || versions.has(name)) continue;
    if (source?.split(" ")[0]?.replace(/\/+$/, "") === uri) versions.set(name, version);
  }
  const missing = packages.filter((name) => !versions.has(name.split(":")[0]!));
  return { versions, missing, state: parsePackageState(answer) };
}

function wantVersions(versions: ReadonlyMap<string, string>, hold: boolean) {
  return Object.fromEntries([...versions].map(([name, version]) => [name, { version, hold }]));
}

function describeUnoffered(name: string, release: string, { versions }: PackageState): Difference {
  return { what: `package ${name}`, have: versions.get(name) ?? "absent", want: `the one of ${release}` };
}

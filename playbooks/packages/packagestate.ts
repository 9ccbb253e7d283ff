import type { WantedPackage } from "../../fleet/nodestate.js";
import type { Difference } from "../engine/resource.js";

/** What the node's package manager says of packages. `manager`: undefined = none that is known. */
export interface PackageState {
  manager?: "apt" | "dnf";
  /** The versions that are installed, by `name` and `name:architecture`. */
  versions: ReadonlyMap<string, string>;
  /** Packages that are neither installed nor absent, with their state: "half-configured". */
  broken: ReadonlyMap<string, string>;
  holds: ReadonlySet<string>;
}

/**
 * Prints `manager NAME`, `arch NAME`, `package NAME ARCH STATE VERSION` for each package that is known, and `hold NAME`, a line each. Takes
 * names with or without an architecture.
 */
export const LOOK_SCRIPT = `export LC_ALL=C
if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
  echo "manager apt"
  echo "arch $(dpkg --print-architecture)"
  dpkg-query -W -f='package \${Package} \${Architecture} \${db:Status-Status} \${Version}\\n' "$@" 2>/dev/null
  apt-mark showhold 2>/dev/null | sed 's/^/hold /'
elif command -v rpm >/dev/null && command -v dnf >/dev/null; then
  echo "manager dnf"
  echo "arch $(rpm -E %_arch)"
  for name; do
    case $name in *:*) name=\${name%%:*}.\${name#*:};; esac
    rpm -q --qf 'package %{NAME} %{ARCH} installed %|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n' "$name" | grep '^package [^ ]* [^ ]* installed '
  done
  dnf -q -C versionlock list 2>/dev/null | sed -n 's/^\\([A-Za-z0-9+_.-]*\\)-[0-9]*:.*/hold \\1/p'
fi
exit 0`;

/** Pure: reads what LOOK_SCRIPT prints. */
export function parsePackageState(answer: string): PackageState {
  const versions = new Map<string, string>();
  const broken = new Map<string, string>();
  const holds = new Set<string>();
  let manager: PackageState["manager"];
  let native = "";
  for (const [kind, name, arch, state, version] of answer.split("\n").map((line) => line.split(" "))) {
    if (name === undefined) continue;
    if (kind === "manager" && (name === "apt" || name === "dnf")) manager = name;
    else if (kind === "arch") native = name;
    else if (kind === "hold") holds.add(name);
    else if (kind === "package" && arch !== undefined && state !== undefined) {
      const names = [`${name}:${arch}`, ...(["all", "noarch", native].includes(arch) ? [name] : [])];
      for (const one of names) {
        if (state === "installed" && version !== undefined) versions.set(one, version);
        else if (!ABSENT_STATES.includes(state)) broken.set(one, state);
      }
    }
  }
  return { manager, versions, broken, holds };
}

const ABSENT_STATES = ["not-installed", "config-files"];

/** What differs for one package. */
export interface PackageChange {
  readonly name: string;
  readonly have: string;
  readonly want: string;
  /** undefined = its presence and version are right. */
  readonly action?: Readonly<{ kind: "install"; version?: string }> | Readonly<{ kind: "remove" }>;
  /** What the inventory says of its hold; undefined = nothing, so that its version must not change while it is held. */
  readonly wantedHold?: boolean;
  /** Whether its hold must be set or ended: it differs, or apt ends it with a change of its version. */
  readonly setsHold: boolean;
}

/** Pure: lists the packages that differ from what is wanted. */
export function listPackageChanges(
  wanted: Readonly<Record<string, WantedPackage>>,
  state: PackageState,
): PackageChange[] {
  return Object.entries(wanted).flatMap(([name, want]) => findChange(name, want, state) ?? []);
}

function findChange(name: string, want: WantedPackage, state: PackageState): PackageChange | undefined {
  const version = state.versions.get(name);
  const broken = state.broken.get(name);
  const have = broken ?? version ?? "absent";
  if (want === "absent")
    return have === "absent" ? undefined : { name, have, want, action: { kind: "remove" }, setsHold: false };
  const { version: wantedVersion, hold: wantedHold } = want === "present" ? {} : want;
  const isRight = broken === undefined && version !== undefined && (wantedVersion ?? version) === version;
  const action = isRight ? undefined : ({ kind: "install", version: wantedVersion } as const);
  const isHeld = state.holds.has(name);
  const differs = wantedHold !== undefined && wantedHold !== isHeld;
  if (action === undefined && !differs) return undefined;
  const describe = (held: boolean) => (differs ? (held ? ", held" : ", not held") : "");
  return {
    name,
    have: have + describe(isHeld),
    want: (wantedVersion ?? "present") + describe(!isHeld),
    action,
    wantedHold,
    setsHold: differs || (wantedHold === true && action !== undefined),
  };
}

/** Pure: lists the packages that differ from what is wanted, for users. */
export function diffPackages(wanted: Readonly<Record<string, WantedPackage>>, state: PackageState): Difference[] {
  if (state.manager === undefined)
    return [{ what: "package manager", have: "none that muster knows", want: "apt or dnf" }];
  return listPackageChanges(wanted, state).map(({ name, have, want }) => ({ what: `package ${name}`, have, want }));
}

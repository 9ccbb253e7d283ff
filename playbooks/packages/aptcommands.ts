import type { PackageChange } from "./packagestate.js";

/** How long apt waits for another package manager to end. */
export const LOCK_SECONDS = 300;

/** Without questions, and with messages in English, which are read here. */
const ENVIRONMENT = ["env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=l", "LC_ALL=C.UTF-8"];
/** A configuration file that somebody has edited is kept. */
const OPTIONS = [
  ...["-y", "-q"],
  ...["-o", `DPkg::Lock::Timeout=${LOCK_SECONDS}`],
  ...["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"],
];

/** Returns the argv that installs and removes packages in one transaction. */
export function aptInstallCommand(changes: readonly PackageChange[]): string[] {
  const acting = changes.filter(({ action }) => action !== undefined);
  const pinned = acting.filter(({ action }) => action?.kind === "install" && action.version !== undefined);
  return [
    ...[...ENVIRONMENT, "apt-get", ...OPTIONS],
    ...(pinned.length > 0 ? ["--allow-downgrades"] : []),
    ...(acting.some(mayChangeHeld) ? ["--allow-change-held-packages"] : []),
    "install",
    ...acting.map(({ name, action }) => {
      if (action?.kind === "remove") return `${name}-`;
      return action?.version === undefined ? name : `${name}=${action.version}`;
    }),
  ];
}

/** Whether the inventory says enough of a package to change it although it is held: what others hold is looked for in the simulation. */
function mayChangeHeld({ action, wantedHold }: PackageChange): boolean {
  return wantedHold !== undefined || action?.kind === "remove";
}

/** Returns the argv that says what `aptInstallCommand` would do, and changes nothing. */
export function aptSimulateCommand(changes: readonly PackageChange[]): string[] {
  return [...aptInstallCommand(changes), "--simulate"];
}

/** Returns the argv that reads the lists of packages again. Any source that fails is an error, not only all of them. */
export function aptUpdateCommand(): string[] {
  return [...ENVIRONMENT, "apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"];
}

/** Returns the argvs that hold packages, or no longer do. */
export function aptHoldCommands(changes: readonly PackageChange[]): string[][] {
  return [true, false].flatMap((hold) => {
    const names = changes.filter(({ setsHold, wantedHold }) => setsHold && wantedHold === hold).map(({ name }) => name);
    return names.length === 0 ? [] : [[...ENVIRONMENT, "apt-mark", hold ? "hold" : "unhold", ...names]];
  });
}

/** Pure: the packages that a simulation would remove although nobody asked for it. */
export function listUnwantedRemovals(simulation: string, changes: readonly PackageChange[]): string[] {
  const wanted = new Set(
    changes.filter(({ action }) => action?.kind === "remove").map(({ name }) => name.split(":")[0]),
  );
  const removed = [...simulation.matchAll(/^(?:Remv|Purg) (\S+)/gm)].map(([, name]) => name!.split(":")[0]!);
  return removed.filter((name) => !wanted.has(name));
}

/** Pure: the held packages that a simulation would change although the inventory does not say that they are held. */
export function listHeldChanges(
  simulation: string,
  changes: readonly PackageChange[],
  holds: ReadonlySet<string>,
): string[] {
  const owned = new Set(
    changes.filter(({ wantedHold }) => wantedHold !== undefined).map(({ name }) => name.split(":")[0]),
  );
  const changed = [...simulation.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name!.split(":")[0]!);
  return [...new Set(changed)].filter((name) => holds.has(name) && !owned.has(name));
}

/**
 * Pure: a package that a simulation would not install although it is wanted: there is none of that name, and apt has taken it for a pattern,
 * or another package provides it. undefined = none.
 */
export function findUnknownName(simulation: string, changes: readonly PackageChange[]): string | undefined {
  const installed = new Set([...simulation.matchAll(/^(?:Inst|Conf) (\S+)/gm)].map(([, name]) => name!.split(":")[0]!));
  const wanted = changes.filter(({ action }) => action?.kind === "install").map(({ name }) => name);
  return wanted.find((name) => !installed.has(name.split(":")[0]!));
}

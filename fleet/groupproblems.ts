import type { Problem } from "../schemas/errors.js";
import type { KeyPath, Source } from "../schemas/source.js";
import type { InventoryFile } from "../schemas/types.js";
import { SETTING_KEYS } from "./gpus/gpusettings.js";
import type { GpuGroup } from "./node.js";

/** An entry of `gpus` of a node. */
export type GroupKeys = Extract<NonNullable<InventoryFile["nodes"][string]>["gpus"], readonly unknown[]>[number];

/** Keys of a node that would hold for GPUs of every kind. */
const KEYS_OF_ONE_KIND = ["pci", "vendor", "model", "vram", "rate", ...SETTING_KEYS] as const;

/** Returns what the entries of `gpus` of a node contradict: its own keys, or each other. `groups`: the merged entries. */
export function findGroupProblems(
  source: Source,
  name: string,
  entries: readonly GroupKeys[],
  groups: readonly GpuGroup[],
): Problem[] {
  const report = (path: KeyPath, message: string, hint: string): Problem => ({
    ...source.positionOf(["nodes", name, ...path]),
    message: `nodes.${name}.${message}`,
    hint,
  });
  const own = (source.value as InventoryFile).nodes[name] ?? {};
  return [
    ...findOtherProfile(own.profile, entries).map((index) =>
      report(
        ["profile"],
        `profile is ${own.profile}, and gpus[${index}].profile is ${entries[index]!.profile}`,
        "remove profile: gpus names the profiles of all GPUs",
      ),
    ),
    ...KEYS_OF_ONE_KIND.filter((key) => own[key] !== undefined).map((key) =>
      report([key], `${key}: gpus lists kinds of GPU`, `move it into ${key === "pci" ? "gpus" : "their profiles"}`),
    ),
    ...entries.flatMap((entry, index) => findCountProblem(entry, index, groups, report)),
    ...findSharedAddresses(entries, report),
    ...findKernelProblems(groups, report),
  ];
}

type Report = (path: KeyPath, message: string, hint: string) => Problem;

/** Returns the index of the first entry with another profile. */
function findOtherProfile(profile: string | undefined, entries: readonly GroupKeys[]): number[] {
  const index = profile === undefined ? -1 : entries.findIndex((entry) => entry.profile !== profile);
  return index < 0 ? [] : [index];
}

function findCountProblem(
  { count, pci }: GroupKeys,
  index: number,
  groups: readonly GpuGroup[],
  report: Report,
): Problem[] {
  const path = ["gpus", index];
  const where = `gpus[${index}]`;
  const { vendor, name } = groups[index]!.profile;
  const other = groups.findIndex(
    (one, place) =>
      place !== index && one.profile.vendor === vendor && (one.profile.name !== name || one.pci !== undefined),
  );
  if (pci === undefined && other >= 0)
    return [
      report(
        path,
        `${where}: gpus[${other}] is of ${vendor}, too, so a count does not tell which GPUs are ${name}`,
        "add pci with their addresses, as `muster nodes` prints them",
      ),
    ];
  if (pci === undefined && count === undefined)
    return [report(path, `${where} says neither count nor pci`, "add count: N, the number of these GPUs")];
  if (pci === undefined || count === undefined || pci.length === count) return [];
  const hint = "remove count, or correct the list";
  return [report([...path, "count"], `${where}.count is ${count}, and pci lists ${pci.length}`, hint)];
}

function findSharedAddresses(entries: readonly GroupKeys[], report: Report): Problem[] {
  const owners = new Map<string, number>();
  return entries.flatMap(({ pci = [] }, index) =>
    pci.flatMap((address, place) => {
      const owner = owners.get(address) ?? index;
      owners.set(address, owner);
      if (owner === index) return [];
      const message = `gpus[${index}].pci: ${address} belongs to gpus[${owner}] already`;
      return [report(["gpus", index, "pci", place], message, "remove it from one of them")];
    }),
  );
}

function findKernelProblems(groups: readonly GpuGroup[], report: Report): Problem[] {
  const first = new Map<string, { value: string; profile: string }>();
  return groups.flatMap(({ profile }, index) =>
    Object.entries(profile.kernel).flatMap(([name, value]) => {
      const before = first.get(name) ?? { value, profile: profile.name };
      first.set(name, before);
      if (before.value === value) return [];
      const message = `gpus[${index}]: kernel ${name} is ${value} in ${profile.name}, and ${before.value} in ${before.profile}`;
      return [report(["gpus", index], message, `set it in kernel of the node: a machine has one value`)];
    }),
  );
}

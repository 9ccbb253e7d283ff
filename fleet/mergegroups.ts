import type { Problem } from "../schemas/errors.js";
import type { KeyPath, Source } from "../schemas/source.js";
import { suggest } from "../schemas/suggest.js";
import type { InventoryFile } from "../schemas/types.js";
import { findGroupProblems, type GroupKeys } from "./groupproblems.js";
import { findFractionProblem, type InventoryLayer, mergeProfile, mergeTexts } from "./mergeprofile.js";
import type { GpuGroup, Profile } from "./node.js";
import { findSettingsProblems } from "./settingsproblems.js";

/** The kinds of GPU of a node, and what follows from them for the whole node. `problems`: what is wrong with them. */
export interface MergedGroups {
  profile: Profile;
  gpuGroups: GpuGroup[];
  gpus: number;
  problems: Problem[];
}

/** Merges each entry of `gpus` of a node with the defaults, its profile and the node's own keys. */
export function mergeGpuGroups(source: Source, name: string, entries: readonly GroupKeys[]): MergedGroups {
  const problems: Problem[] = [];
  const merged = entries.map((entry, index): GpuGroup => {
    const path = ["nodes", name, "gpus", index];
    const layers = listLayers(source, name, entry.profile);
    problems.push(...findProfileProblem(source, path, entry), ...findFractionProblem(source, layers));
    const profile = mergeProfile(source, layers, entry.profile);
    if (profile.vendor !== "none") problems.push(...findSettingsProblems(source, layers, profile.vendor));
    return { profile, count: entry.count ?? entry.pci?.length, pci: entry.pci, env: mergeTexts(source, layers, "env") };
  });
  if (problems.length === 0) problems.push(...findGroupProblems(source, name, entries, merged));
  return {
    profile: {
      name: [...new Set(merged.map(({ profile }) => profile.name))].join("+"),
      vendor: "none",
      env: {},
      kernel: Object.assign({}, ...merged.map(({ profile }) => profile.kernel)),
      limits: {},
      settings: {},
    },
    gpuGroups: merged,
    gpus: merged.reduce((sum, { count = 0 }) => sum + count, 0),
    problems,
  };
}

function listLayers(source: Source, name: string, profile: string): InventoryLayer[] {
  const file = source.value as InventoryFile;
  const layers = {
    defaults: { path: ["defaults"], keys: file.defaults ?? {} },
    profile: { path: ["profiles", profile], keys: findProfile(file, profile) ?? {} },
    node: { path: ["nodes", name], keys: file.nodes[name] ?? {} },
  };
  return Object.values(layers) as InventoryLayer[];
}

function findProfile(file: InventoryFile, name: string) {
  return Object.hasOwn(file.profiles ?? {}, name) ? file.profiles?.[name] : undefined;
}

function findProfileProblem(source: Source, path: KeyPath, { profile }: GroupKeys): Problem[] {
  const file = source.value as InventoryFile;
  const found = findProfile(file, profile);
  const vendor = found?.vendor ?? "none";
  if (found !== undefined && vendor !== "none") return [];
  const at = source.positionOf([...path, "profile"]);
  const where = `nodes.${path[1]}.gpus[${path[3]}].profile`;
  if (found === undefined)
    return [
      {
        ...at,
        message: `${where}: there is no profile "${profile}"`,
        hint: suggest(profile, Object.keys(file.profiles ?? {})) ?? "describe it under profiles",
      },
    ];
  const hint = `add vendor: amd or vendor: nvidia under profiles.${profile}`;
  return [{ ...at, message: `${where}: the profile "${profile}" is of no vendor`, hint }];
}

import type { Problem } from "../schemas/errors.js";
import type { Source } from "../schemas/source.js";
import { listGpuGroups } from "./gpus/gpugroups.js";
import type { GpuSettings } from "./gpus/gpusettings.js";
import type { GpuGroup, Node } from "./node.js";

/** The key of the inventory that each setting comes from. */
const KEY_OF_SETTING: Readonly<Record<keyof GpuSettings, string>> = {
  powerWatts: "power",
  sclk: "clocks.sclk",
  mclk: "clocks.mclk",
  fan: "fan",
  perf: "perf",
  persistence: "persistence",
  computeMode: "compute_mode",
};

/** Returns the nodes that are a machine which another node is, too, and want other settings of its GPUs: each would undo the other's. */
export function findSettingConflicts(source: Source, nodes: readonly Node[]): Problem[] {
  const byMachine = new Map<string, Node[]>();
  return nodes.flatMap((node): Problem[] => {
    const machine = node.connection === "local" ? "local" : `${node.host}:${node.port ?? ""}`;
    const others = byMachine.get(machine) ?? [];
    byMachine.set(machine, [...others, node]);
    const conflict = others
      .map((other) => ({ other, key: findConflictingKey(listGpuGroups(other), listGpuGroups(node)) }))
      .find(({ key }) => key !== undefined);
    if (conflict === undefined) return [];
    const where = node.connection === "local" ? "this machine" : `host ${node.host}`;
    const message = `nodes.${node.name}: ${conflict.key} of its GPUs differs from that of nodes.${conflict.other.name}, and both are ${where}`;
    const hint = "give both the same settings, or list different GPUs with pci";
    return [{ ...source.positionOf(["nodes", node.name]), message, hint }];
  });
}

function findConflictingKey(first: readonly GpuGroup[], second: readonly GpuGroup[]): string | undefined {
  for (const a of first)
    for (const b of second.filter((one) => mayShareGpus(a, one)))
      for (const [name, key] of Object.entries(KEY_OF_SETTING) as [keyof GpuSettings, string][]) {
        const [one, other] = [a.profile.settings[name], b.profile.settings[name]];
        if (one !== undefined && other !== undefined && JSON.stringify(one) !== JSON.stringify(other)) return key;
      }
  return undefined;
}

function mayShareGpus(a: GpuGroup, b: GpuGroup): boolean {
  if (a.profile.vendor !== b.profile.vendor) return false;
  return a.pci === undefined || b.pci === undefined || a.pci.some((address) => b.pci?.includes(address));
}

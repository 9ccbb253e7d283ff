import type { GpuGroup, Node, Profile } from "../node.js";
import type { ExpectedGpus } from "./gpuhealth.js";
import type { GpuVendor } from "./probeoutput.js";

/** The GPUs of a node as the inventory describes them. */
export type GpuDescription = Pick<Node, "profile" | "gpuGroups" | "gpus" | "pci" | "env">;

/** Returns the kinds of GPU of a node, in the order of its slots; none for a node without GPUs. */
export function listGpuGroups({ profile, gpuGroups, gpus, pci, env }: GpuDescription): readonly GpuGroup[] {
  if (gpuGroups !== undefined) return gpuGroups;
  return profile.vendor === "none" ? [] : [{ profile, count: gpus, pci, env }];
}

/** Returns the profiles of a node: those of its GPUs, else its own. */
export function listProfiles(node: GpuDescription): readonly Profile[] {
  const groups = listGpuGroups(node);
  return groups.length === 0 ? [node.profile] : groups.map(({ profile }) => profile);
}

/** Returns the GPUs that a node must have, an entry for each vendor. */
export function expectGpus(node: GpuDescription): ExpectedGpus[] {
  const groups = listGpuGroups(node);
  return listVendors(node).map((vendor) => {
    const own = groups.filter(({ profile }) => profile.vendor === vendor);
    const counts = own.map(({ count }) => count);
    const count = counts.reduce((sum, one) => (sum === undefined || one === undefined ? undefined : sum + one), 0);
    return { vendor, count, addresses: listAddresses(own) };
  });
}

/** Returns the PCI addresses of the groups of one vendor, as its tools number them; those of a single group are as written. */
export function listAddresses(groups: readonly GpuGroup[]): string[] {
  const all = groups.flatMap(({ pci = [] }) => pci);
  return groups.length === 1 ? all : all.sort();
}

/** Returns the vendors of a node's GPUs. */
export function listVendors(node: GpuDescription): GpuVendor[] {
  const vendors = listGpuGroups(node).map(({ profile }) => profile.vendor);
  return [...new Set(vendors)].filter((vendor) => vendor !== "none");
}

/** One GPU of a node: its kind, and its number among those of its vendor, as the vendor's tools number them. */
export interface ListedGpu {
  group: GpuGroup;
  device: number;
}

/** Returns the GPUs of a node with several kinds, in the order of its slots. The inventory says how many of each kind there are. */
export function listGpus(groups: readonly GpuGroup[]): ListedGpu[] {
  const counts = new Map<string, number>();
  return groups.flatMap((group) => {
    const { vendor } = group.profile;
    const addresses = listAddresses(groups.filter(({ profile }) => profile.vendor === vendor));
    return Array.from({ length: group.count ?? 0 }, (_, index): ListedGpu => {
      const next = counts.get(vendor) ?? 0;
      counts.set(vendor, next + 1);
      const pci = group.pci?.[index];
      return { group, device: pci === undefined ? next : addresses.indexOf(pci) };
    });
  });
}

/**
 * Returns the name of a GPU's lock between runs: its index, with its vendor where the node has GPUs of two. So every inventory that is
 * used with a machine has to list the GPUs of both.
 */
export function gpuLockName(node: GpuDescription, vendor: GpuVendor, device: number): string {
  return listVendors(node).length > 1 ? `${vendor}-${device}` : `${device}`;
}

/** Returns the profile of a GPU, by its index among those of its vendor. */
export function findProfileOf(node: GpuDescription, vendor: GpuVendor, device: number): Profile {
  const listed = listGpus(node.gpuGroups ?? []).find(
    (one) => one.group.profile.vendor === vendor && one.device === device,
  );
  return listed?.group.profile ?? node.profile;
}

/** Returns the index of a GPU in its node, which is that of its slot, by its index among those of its vendor. */
export function findGpuIndex(node: GpuDescription, vendor: GpuVendor, device: number): number {
  const index = listGpus(node.gpuGroups ?? []).findIndex(
    (one) => one.group.profile.vendor === vendor && one.device === device,
  );
  return index < 0 ? device : index;
}

import type { LiveSlot } from "../executor/run/record/liverun.js";
import { listGpus } from "../fleet/gpus/gpugroups.js";
import type { GpuSample } from "../fleet/gpus/gpusample.js";
import type { Node } from "../fleet/node.js";

/**
 * Returns the samples of a node's GPUs by the index of the GPU. Runs know the PCI addresses of their slots, so a card that is lost moves no
 * other. Samples that no run knows take the other places, by kind, in the order of their addresses.
 */
export function matchSamples(
  { gpuGroups }: Pick<Node, "gpuGroups">,
  samples: readonly GpuSample[],
  slots: readonly Pick<LiveSlot, "gpu" | "pci">[],
): (GpuSample | undefined)[] {
  const known = new Map(slots.flatMap(({ gpu, pci }) => (gpu === undefined || pci === undefined ? [] : [[gpu, pci]])));
  const taken = new Set(known.values());
  const listed = gpuGroups === undefined ? undefined : listGpus(gpuGroups);
  const count = Math.max(0, listed?.length ?? samples.length, ...[...known.keys()].map((index) => index + 1));
  const others = samples.filter(({ pci }) => !taken.has(pci));
  return Array.from({ length: count }, (_, index) => {
    const pci = known.get(index);
    if (pci !== undefined) return samples.find((one) => one.pci === pci);
    if (listed === undefined) return others.shift();
    const { group, device } = listed[index] ?? {};
    const ofVendor = samples.filter(({ vendor }) => vendor === group?.profile.vendor);
    return others.find((one) => one === ofVendor[device ?? -1]);
  });
}

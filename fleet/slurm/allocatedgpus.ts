import type { Gpu } from "../facts.js";
import type { Profile } from "../node.js";

/** The variable in which Slurm names the GPUs of an allocation, by their vendor. */
const VARIABLES = { amd: "ROCR_VISIBLE_DEVICES", nvidia: "CUDA_VISIBLE_DEVICES" } as const;

/** The GPUs of an allocation. */
export interface AllocatedGpus {
  /** In the order of the slots: what selects each of them for a program of the allocation. */
  devices: readonly string[];
  /** Their PCI addresses, in the same order; undefined = not known. */
  pci?: string[];
}

/**
 * Returns the GPUs that Slurm has bound. `environment`: of a step of the allocation. `found`: the GPUs that facts show there: all of the
 * machine, or only those of the allocation where cgroups hide the others. undefined = Slurm names none.
 */
export function findAllocatedGpus(
  vendor: Profile["vendor"],
  environment: Readonly<Record<string, string>>,
  found: readonly Gpu[],
): AllocatedGpus | undefined {
  if (vendor === "none") return undefined;
  const visible = (environment[VARIABLES[vendor]] ?? "")
    .split(",")
    .filter((one) => /^[\w-]+$/.test(one) && one !== "NoDevFiles");
  if (visible.length === 0) return undefined;
  // HIP numbers the devices that ROCR_VISIBLE_DEVICES leaves; CUDA has one variable for both.
  const devices = vendor === "amd" ? visible.map((_, index) => `${index}`) : visible;
  const pci = findAddresses(visible, listUsable(vendor, found));
  return pci === undefined ? { devices } : { devices, pci };
}

/** Returns the addresses of the GPUs that the vendor's tool shows: the kernel lists those of other allocations, too. */
function listUsable(vendor: string, found: readonly Gpu[]): string[] {
  return found.flatMap((gpu) => (gpu.vendor === vendor && gpu.driver !== null && gpu.pci !== null ? [gpu.pci] : []));
}

function findAddresses(visible: readonly string[], usable: readonly string[]): string[] | undefined {
  if (usable.length === visible.length) return [...usable];
  const addresses = visible.map((one) => (/^\d+$/.test(one) ? usable[Number(one)] : undefined));
  return addresses.every((one) => one !== undefined) ? (addresses as string[]) : undefined;
}

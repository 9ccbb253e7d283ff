import type { Profile } from "../node.js";

/**
 * The environment variables that restrict a program to certain GPUs, by vendor: the one that takes the GPUs, its value for none, and those
 * that make its meaning unambiguous. HIP takes an empty variable for one that is not set. CUDA orders GPUs by speed by default. Keep in sync
 * with BINDING_VARIABLES in templates/muster_agent/gpu/cards.py.
 */
export const GPU_BINDINGS = {
  amd: { variable: "HIP_VISIBLE_DEVICES", none: "-1", constants: {} },
  nvidia: { variable: "CUDA_VISIBLE_DEVICES", none: "", constants: { CUDA_DEVICE_ORDER: "PCI_BUS_ID" } },
} as const;

/**
 * Returns the environment in which a program sees one GPU only, as device 0, or none (undefined); empty for a node without GPUs. `device`:
 * its index, or another text that names it to the vendor's runtime.
 */
export function bindGpu(vendor: Profile["vendor"], device: number | string | undefined): Record<string, string> {
  if (vendor === "none") return {};
  const { variable, none, constants } = GPU_BINDINGS[vendor];
  return device === undefined ? { [variable]: none } : { [variable]: `${device}`, ...constants };
}

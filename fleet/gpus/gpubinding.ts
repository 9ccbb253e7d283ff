import type { Profile } from "../node.js";

/**
 * The environment variables that restrict a program to certain GPUs, by vendor: the one that takes the GPUs, and those that make its
 * meaning unambiguous. CUDA orders GPUs by speed by default. Keep in sync with BINDING_VARIABLES in templates/muster_agent/gpu/cards.py.
 */
export const GPU_BINDINGS = {
  amd: { variable: "HIP_VISIBLE_DEVICES", constants: {} },
  nvidia: { variable: "CUDA_VISIBLE_DEVICES", constants: { CUDA_DEVICE_ORDER: "PCI_BUS_ID" } },
} as const;

/** Returns the environment in which a program sees one GPU only, as device 0; empty for a node without GPUs. */
export function bindGpu(vendor: Profile["vendor"], index: number): Record<string, string> {
  if (vendor === "none") return {};
  const { variable, constants } = GPU_BINDINGS[vendor];
  return { [variable]: `${index}`, ...constants };
}

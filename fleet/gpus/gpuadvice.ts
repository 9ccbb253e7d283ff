import { findDriverAdvice } from "./drivererrors.js";
import type { GpuVendor } from "./probeoutput.js";

/** Returns what to do about a GPU that is sick for this reason; the remedies that most often helped come first. */
export function adviseOnSickGpu(vendor: GpuVendor, reason: string): string {
  const next = findDriverAdvice(reason);
  if (next !== undefined) return `next: ${next}`;
  const mask = vendor === "amd" ? " check kernel-params (the feature mask);" : "";
  return `in this order: reduce sample_size, not the number of GPUs;${mask} check the clean-up between jobs; reboot it`;
}

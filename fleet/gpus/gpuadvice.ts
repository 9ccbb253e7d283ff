import type { Profile } from "../node.js";
import { findDriverAdvice } from "./drivererrors.js";
import { isAbsence } from "./gpuhealth.js";

/**
 * Returns what to do about a GPU that is sick for this reason; the remedies that most often helped come first. What concerns the user's own
 * programs and kernel comes from the profile.
 */
export function adviseOnSickGpu({ limits, kernel }: Pick<Profile, "limits" | "kernel">, reason: string): string {
  const next = findDriverAdvice(reason);
  if (next !== undefined) return `next: ${next}`;
  if (isAbsence(reason))
    return "next: reboot the node; if the GPU stays away, check its riser, its power cable, and `dmesg` as root";
  const names = Object.keys(limits);
  const remedies = [
    ...(names.length > 0 ? [`reduce ${names.join(" and ")}, not the number of GPUs`] : []),
    ...(Object.keys(kernel).some((name) => name.endsWith("featuremask"))
      ? ["check kernel-params (the feature mask)"]
      : []),
    "check the clean-up between jobs",
    "reboot it",
  ];
  return `in this order: ${remedies.join("; ")}`;
}

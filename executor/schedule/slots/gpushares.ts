import type { Profile } from "../../../fleet/node.js";
import type { JobRequirements } from "../../job/job.js";

/** What decides how many chunks of a job share a GPU. */
export type SharingNeeds = Pick<JobRequirements, "gpuShare" | "vram">;

/**
 * Returns how many chunks of a job share a GPU of a profile: as many as the job says, else the profile, but only as many as its memory holds
 * where the job says what each needs.
 */
export function countSharers({ perGpu = 1, vram }: Pick<Profile, "perGpu" | "vram">, needs: SharingNeeds): number {
  const wanted = needs.gpuShare === undefined ? perGpu : Math.round(1 / needs.gpuShare);
  if (needs.vram === undefined || vram === undefined) return wanted;
  return Math.max(1, Math.min(wanted, Math.floor(vram / needs.vram)));
}

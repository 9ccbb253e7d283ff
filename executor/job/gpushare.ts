import { parseShare } from "../../schemas/quantity.js";
import type { JobReader } from "./reader.js";

export const GPU_SHARE = ["needs", "gpu_share"] as const;
/** At most so many chunks share a GPU, as with `per_gpu` of the inventory. */
const MAX_SHARERS = 16;
/** How far a share may be from 1 / n, so that a third can be written as 0.33. */
const TOLERANCE = 0.02;

/** Returns the share of a GPU that a chunk takes, as 1 / n; undefined = the job does not say. Reports one that does not divide a GPU. */
export function readGpuShare(reader: JobReader): number | undefined {
  const share = parseShare(reader.source.get(GPU_SHARE));
  if (!share.ok) return undefined;
  const sharers = Math.round(1 / share.value);
  const what = `needs.gpu_share is ${reader.source.text(GPU_SHARE)}`;
  if (sharers > MAX_SHARERS)
    reader.reportAt(
      GPU_SHARE,
      `${what}, and at most ${MAX_SHARERS} chunks share a GPU`,
      `use ${1 / MAX_SHARERS} or more`,
    );
  else if (Math.abs(share.value * sharers - 1) > TOLERANCE)
    reader.reportAt(GPU_SHARE, `${what}, which does not divide a GPU`, suggestShares(share.value));
  if (reader.text(["needs", "vendor"]) === "none")
    reader.reportAt(GPU_SHARE, `${what}, and needs.vendor is none`, "remove one of them");
  return 1 / sharers;
}

/** Names the two next shares that divide a GPU. */
function suggestShares(share: number): string {
  const fewer = Math.floor(1 / share);
  return `use ${formatShare(fewer)} for ${fewer} at a time on each GPU, or ${formatShare(fewer + 1)} for ${fewer + 1}`;
}

function formatShare(sharers: number): string {
  return `${Number((1 / sharers).toFixed(3))}`;
}

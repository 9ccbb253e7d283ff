import type { ChunkOverhead } from "../executor/schedule/rates/chunkoverhead.js";
import { formatDuration } from "./format.js";

/** Returns what chunks cost beside their work, and what to write instead. */
export function formatOverhead({ overheadSeconds, workSeconds }: ChunkOverhead): string {
  const [overhead, work] = [formatDuration(overheadSeconds), formatDuration(workSeconds)];
  // Short enough for the live view of a terminal of 80 columns.
  return `chunks take ${overhead} to start, ${work} to work: set \`chunk: {target: 5m}\``;
}

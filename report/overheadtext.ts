import type { ChunkOverhead } from "../executor/schedule/rates/chunkoverhead.js";
import { formatDuration } from "./format.js";

/** Returns what chunks cost beside their work, and what to write instead. */
export function formatOverhead({ overheadSeconds, workSeconds }: ChunkOverhead): string {
  const [overhead, work] = [formatDuration(overheadSeconds), formatDuration(workSeconds)];
  return `each chunk takes ${overhead} to start and ${work} to work: write \`chunk: {target: 5m}\` in the job`;
}

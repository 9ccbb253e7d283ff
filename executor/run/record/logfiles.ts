import { readdirSync } from "node:fs";
import { join } from "node:path";

/** The logs of a chunk, by the ends of their names. */
export const LOG_STREAMS = ["out", "err"] as const;
export type LogStream = (typeof LOG_STREAMS)[number];

/** Returns the numbers of the earlier attempts of a chunk that have logs in `logs`/attempts/CHUNK, each once, in ascending order. */
export function listEarlierLogs(logs: string, chunk: string): number[] {
  const numbers = listFolder(join(logs, "attempts", chunk)).flatMap((name) => {
    const found = /^([1-9]\d{0,8})\.(?:out|err)$/.exec(name);
    return found === null ? [] : [Number(found[1])];
  });
  return [...new Set(numbers)].sort((a, b) => a - b);
}

/** Returns the names in a folder; none where there is no such folder. */
function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

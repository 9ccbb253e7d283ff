import { readdirSync } from "node:fs";
import { join } from "node:path";

/** The logs of a chunk, by the ends of their names. */
export const LOG_STREAMS = ["out", "err"] as const;
export type LogStream = (typeof LOG_STREAMS)[number];

/** The name of the logs of a pipeline step that is a command: in its folder, it stands for the chunk. */
export const COMMAND_LOG = "command";

/** Returns whether a word can be the name of a chunk, and so of a file in logs/. */
export function isChunkName(word: string): boolean {
  return word !== "" && word !== "." && word !== ".." && !/[/\0]/.test(word);
}

/**
 * Returns the path of a log of a chunk: of its last attempt, or of the earlier one with the number `attempt`. `path` is the run directory, or
 * the folder of a pipeline's step.
 */
export function locateLog(path: string, chunk: string, stream: LogStream, attempt?: number): string {
  const name = attempt === undefined ? chunk : join("attempts", chunk, `${attempt}`);
  return join(path, "logs", `${name}.${stream}`);
}

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

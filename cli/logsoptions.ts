import { UsageError } from "../schemas/errors.js";
import type { CommonOptions } from "./options.js";

/** The options of `muster logs`. */
export interface LogsOptions extends CommonOptions {
  out?: boolean;
  err?: boolean;
  /** The number of an attempt. */
  try?: string;
  failed?: boolean;
  follow?: boolean;
  /** Names, tags or globs of nodes, separated by commas. */
  node?: string;
  /** A number of lines. */
  tail?: string;
}

/** Returns the number of `--tail`; undefined without it. Throws UsageError. */
export function parseTail({ tail }: Pick<LogsOptions, "tail">): number | undefined {
  if (tail === undefined) return undefined;
  if (!/^\d{1,7}$/.test(tail)) throw new UsageError(`logs: --tail ${tail}: is not a number of lines`);
  return Number(tail);
}

/** Throws UsageError for options of `muster logs` that exclude each other, or that the chunk's name excludes. */
export function rejectConflicts(run: string, chunk: string | undefined, options: LogsOptions): void {
  const { failed, follow, node } = options;
  const hasTry = options.try !== undefined;
  if (failed && (chunk !== undefined || hasTry || follow))
    throw new UsageError("logs: --failed shows all failed chunks, so it goes with neither a chunk nor --try nor -f");
  if (follow && (hasTry || options.json))
    throw new UsageError("logs: -f shows attempts while they run, so it goes with neither --try nor --json");
  if (node !== undefined && !failed && !follow)
    throw new UsageError("logs: --node selects among running or failed chunks", "Add -f or --failed.");
  if (chunk === undefined && !failed && !follow)
    throw new UsageError("logs: name a chunk, or add --failed, or -f for all running ones", `muster logs ${run} CHUNK`);
}

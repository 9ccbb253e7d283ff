import { UsageError } from "../schemas/errors.js";
import { parseDuration } from "../schemas/quantity.js";

/** Options that every command takes. */
export interface CommonOptions {
  inventory?: string;
  limit?: string;
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
  color?: boolean;
}

/** Options of `muster run`. */
export interface RunCommandOptions extends CommonOptions {
  out?: string;
  results?: string;
  overwrite?: boolean;
  fresh?: boolean;
  adopt?: boolean;
  plan?: boolean;
  set?: string[];
  range?: string;
  /** A line of JSON for each result, while the run goes on. */
  jsonLines?: boolean;
  provision?: boolean;
  /** Pipelines only: this step and its dependents, or this step alone. */
  from?: string;
  only?: string;
  /** Pipelines only: cron started the run. */
  cron?: boolean;
  overlap?: string;
  lockWait?: string;
  /** A file for the textfile collector of node_exporter. */
  metrics?: string;
  /** Run in the background. */
  detach?: boolean;
  /** This process is that of a run in the background. */
  background?: "new" | "resumed";
  /** A folder of runs. */
  resumeAll?: string;
}

/** Parses the pairs of `--set key=value`. Throws UsageError for a word without a key. */
export function parseSetOptions(pairs: string[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (pairs ?? []).map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new UsageError(`--set ${pair}: it must be key=value`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** Parses a duration such as `10m` into seconds. Throws UsageError. */
export function parseDurationOption(option: string, text: string): number {
  const parsed = parseDuration(text);
  if (!parsed.ok) throw new UsageError(`${option} ${text}: it ${parsed.message}`);
  return parsed.value;
}

/** Parses `--range START:END` into a half-open range. Throws UsageError. */
export function parseRangeOption(text: string | undefined): [bigint, bigint] | undefined {
  if (text === undefined) return undefined;
  const parts = /^(-?\d+):(-?\d+)$/.exec(text);
  if (parts === null)
    throw new UsageError(`--range ${text}: it must be START:END, two integers`, "For example --range 0:1000000.");
  return [BigInt(parts[1]!), BigInt(parts[2]!)];
}

/** Throws UsageError for options that only make sense together with `--cron`. */
export function rejectCronOnlyOptions(options: RunCommandOptions): void {
  if (options.overlap === undefined && options.lockWait === undefined) return;
  throw new UsageError(
    "--overlap and --lock-wait require --cron",
    "Without --cron, a run whose directory is locked fails at once. Leave these options out.",
  );
}

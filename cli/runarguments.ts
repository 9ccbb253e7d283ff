import { resolve } from "node:path";
import { UsageError } from "../schemas/errors.js";
import { parseSetOptions, type RunCommandOptions } from "./options.js";

/** Options of `muster run` that take no value. */
const FLAGS = ["overwrite", "fresh", "adopt", "provision", "json", "quiet", "verbose"] as const;
/** Options whose value is a path. An inventory may also be `local`. */
const PATHS = ["out", "results", "metrics"] as const;
const TEXTS = ["inventory", "limit", "range", "from", "only"] as const;

/**
 * Returns the words after `muster run` that mean this file and these options, in any folder. Throws UsageError for values of environment
 * variables, because the words are kept in the run directory.
 */
export function buildRunArguments(file: string, options: RunCommandOptions): string[] {
  for (const key of Object.keys(parseSetOptions(options.set)))
    if (key.split(".").includes("env"))
      throw new UsageError(
        `--set ${key} cannot be combined with --detach, which keeps the command in the run directory`,
        "Values of environment variables are kept nowhere: put it in a file, and name that in `env_file` of the job.",
      );
  return [
    ...FLAGS.flatMap((name) => (options[name] === true ? [`--${name}`] : [])),
    ...PATHS.flatMap((name) => (options[name] === undefined ? [] : [`--${name}`, resolve(options[name])])),
    ...TEXTS.flatMap((name) => (options[name] === undefined ? [] : [`--${name}`, options[name]])),
    ...(options.set ?? []).flatMap((pair) => ["--set", pair]),
    resolve(file),
  ];
}

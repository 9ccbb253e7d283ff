import { UsageError } from "../../schemas/errors.js";
import { parseScalar } from "../../schemas/parsesource.js";
import { type Source, toExactNumber } from "../../schemas/source.js";
import { suggest } from "../../schemas/suggest.js";

/**
 * Writes the values of `--set key=value` into the file before it is checked. A plain key is a parameter or a key of the
 * job; a dotted one is a path of keys. Returns the parameters that the file does not have. Throws UsageError.
 */
export function applySetOptions(source: Source, settings: Record<string, string>, keys: string[]): string[] {
  const added: string[] = [];
  for (const [key, text] of Object.entries(settings)) {
    const path = key.includes(".") || keys.includes(key) ? key.split(".") : ["params", key];
    if (path.some((part) => part === "" || part in Object.prototype))
      throw new UsageError(`--set ${key}: is not a key`);
    if (path[0] === "params" && !keys.includes("params")) {
      throw new UsageError(`--set ${key}: a jobs file has no parameters`, suggest(key, keys));
    }
    const scalar = parseScalar(text) ?? { value: text, text };
    if (path[0] === "params" && source.get(path) === undefined) added.push(path[1] ?? "");
    if (!source.override(path, scalar.value, scalar.text, `--set ${key}`)) {
      throw new UsageError(`--set ${key}: one of its parent keys is not a mapping`);
    }
  }
  return added;
}

/** Replaces the range of the file by `--range START:END`. Throws UsageError for other kinds of job. */
export function applyRange(source: Source, [start, end]: [bigint, bigint]): void {
  if (source.get(["kind"]) !== "range") throw new UsageError("--range is for jobs of kind: range", "leave it out");
  source.override(["range"], [toExactNumber(start), toExactNumber(end)], `${start}:${end}`, "--range");
}

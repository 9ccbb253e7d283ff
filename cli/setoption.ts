import { UsageError } from "../schemas/errors.js";

/** The pairs of `--set key=value`. Throws UsageError. */
export function parseSetOptions(pairs: string[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (pairs ?? []).map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new UsageError(`--set ${pair}: it must be key=value`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

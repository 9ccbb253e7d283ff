import { UsageError } from "../schemas/errors.js";
import { parseDuration } from "../schemas/quantity.js";

/** The time that an option says, e.g. `10m`, in seconds. Throws UsageError. */
export function parseDurationOption(option: string, text: string): number {
  const parsed = parseDuration(text);
  if (!parsed.ok) throw new UsageError(`${option} ${text}: it ${parsed.message}`);
  return parsed.value;
}

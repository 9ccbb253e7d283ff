import type { Readings } from "./cardsteps.js";

/** What the kernel says of a file that a driver does not offer. */
const MISSING = "No such file or directory";

/** Explains why a file of a GPU could not be read; a driver that does not offer it refuses the setting. Empty: it was read. */
export function explainUnread(readings: Readings, file: string): { unread?: string; refusal?: string } {
  const { error } = readings.get(file);
  if (error === undefined) return {};
  if (error !== MISSING) return { unread: `cannot be read: ${error}` };
  return { unread: "not offered", refusal: `its driver has no ${file.replace("hwmon/", "")}` };
}

import { MusterError } from "../../schemas/errors.js";
import type { CronSchedule } from "./expression.js";

/** What programs are looked up in: cron's own PATH is /usr/bin:/bin alone. */
const SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Longest command that Debian's cron takes, bytes. */
const MAX_COMMAND_BYTES = 998;

/**
 * A line of a crontab: at these times this program is started, with PATH and locale of its own, whatever the crontab sets.
 * Throws a MusterError (65) for words that cannot stand in one.
 */
export function formatCrontabLine(schedule: CronSchedule, words: string[]): string {
  for (const word of words)
    if (/[\p{Cc}\\]/u.test(word))
      throw new MusterError("CRONTAB", 65, `${JSON.stringify(word)} cannot stand in a crontab`, {
        next: "Use paths without backslashes and control characters.",
      });
  const all = ["/usr/bin/env", `PATH=${SEARCH_PATH}`, "LC_ALL=C.UTF-8", "UV_THREADPOOL_SIZE=8", ...words];
  // A bare % would end the line for cron.
  const command = all.map(shellQuote).join(" ").replaceAll("%", "\\%");
  if (Buffer.byteLength(command) > MAX_COMMAND_BYTES)
    throw new MusterError(
      "CRONTAB",
      65,
      `the line for the crontab would be longer than the ${MAX_COMMAND_BYTES} bytes that cron takes`,
      {
        next: "Use shorter paths.",
      },
    );
  return `${schedule.text} ${command}`;
}

function shellQuote(word: string): string {
  return /^[A-Za-z0-9_@+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

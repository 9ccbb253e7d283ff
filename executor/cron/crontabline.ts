import { MusterError } from "../../schemas/errors.js";
import type { CronSchedule } from "./expression.js";

/** The PATH of scheduled runs. Cron's own PATH is only /usr/bin:/bin. */
const SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** The longest command that Debian's cron accepts. */
const MAX_COMMAND_BYTES = 998;

/**
 * Returns the crontab line that starts a program at these times, with its own PATH and locale whatever the crontab sets. Throws
 * CRON_LINE (65) for arguments that a crontab cannot express, and for a line that is too long.
 */
export function formatCrontabLine(schedule: CronSchedule, argv: string[]): string {
  for (const argument of argv)
    if (/[\p{Cc}\\]/u.test(argument))
      throw new MusterError("CRON_LINE", `${JSON.stringify(argument)} cannot be written in a crontab`, {
        next: "Use paths without backslashes and control characters.",
      });
  const all = ["/usr/bin/env", `PATH=${SEARCH_PATH}`, "LC_ALL=C.UTF-8", "UV_THREADPOOL_SIZE=8", ...argv];
  // Cron ends the command at a % that is not escaped.
  const command = all.map(shellQuote).join(" ").replaceAll("%", "\\%");
  if (Buffer.byteLength(command) > MAX_COMMAND_BYTES)
    throw new MusterError(
      "CRON_LINE",
      `the crontab line would exceed the ${MAX_COMMAND_BYTES} bytes that cron accepts`,
      {
        next: "Use shorter paths.",
      },
    );
  return `${schedule.text} ${command}`;
}

function shellQuote(word: string): string {
  return /^[A-Za-z0-9_@+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

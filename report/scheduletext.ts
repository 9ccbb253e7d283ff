import { formatLocalTime } from "../schemas/localtime.js";
import { toPrintableText } from "./format.js";

/** A crontab entry. `next`: times in ISO 8601, none for `@reboot`. */
export interface ScheduledEntry {
  what: string;
  schedule: string;
  next: string[];
  line: string;
  /** Whether the crontab has it. `differs`: it has another entry for that pipeline. */
  installed: "yes" | "no" | "differs";
}

/** Formats what cron starts and when, in the time zone of this machine. */
export function formatSchedule(entries: ScheduledEntry[]): string {
  const states = {
    yes: "in the crontab",
    no: "not in the crontab",
    differs: "the crontab has a different entry: install it again",
  };
  return toPrintableText(
    entries.flatMap(({ what, schedule, next, line, installed }) => [
      `${what}: ${schedule}, ${states[installed]}`,
      `    next: ${next.length === 0 ? "when this machine starts" : next.map((time) => formatLocalTime(new Date(time))).join(", ")}`,
      `    ${line}`,
    ]),
  );
}

import { toPrintableText } from "./format.js";

/** One thing that cron starts. `next`: ISO 8601; none for `@reboot`. */
export interface ScheduledEntry {
  what: string;
  schedule: string;
  next: string[];
  line: string;
  /** Whether the crontab has it; `differs`: another one of that pipeline. */
  installed: "yes" | "no" | "differs";
}

/** What cron starts and when, for people; times are those of this machine. */
export function formatSchedule(entries: ScheduledEntry[]): string {
  const states = {
    yes: "in the crontab",
    no: "not in the crontab",
    differs: "another one is in the crontab: install it again",
  };
  return toPrintableText(
    entries.flatMap(({ what, schedule, next, line, installed }) => [
      `${what}: ${schedule}, ${states[installed]}`,
      `    next: ${next.length === 0 ? "when this machine starts" : next.map(formatLocalTime).join(", ")}`,
      `    ${line}`,
    ]),
  );
}

function formatLocalTime(text: string): string {
  const date = new Date(text);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

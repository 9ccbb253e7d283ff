import { Cron } from "croner";

/** When cron starts something: its text as a crontab has it, and the next times; none for `@reboot`. */
export interface CronSchedule {
  text: string;
  /** The next `count` times after `from`, in the time zone of this machine, as cron counts them. */
  next(from: Date, count: number): Date[];
}

export type ScheduleParseResult = { ok: true; schedule: CronSchedule } | { ok: false; message: string; hint?: string };

const NICKNAMES: Record<string, string> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};
/** A year that has every day. */
const LEAP_YEAR = new Date(2028, 0, 1);
const FIELD_NAMES = ["minute", "hour", "day of the month", "month", "day of the week"];
/** What each of them may be. */
const FIELD_VALUES = ["0-59", "0-23", "1-31", "1-12 or jan-dec", "0-7 (0 and 7: Sunday) or sun-sat"];
const MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec";
const DAYS = "sun|mon|tue|wed|thu|fri|sat";

/** What Debian's cron reads: five fields or a nickname. The library knows more than cron does, and that is refused. */
export function parseSchedule(written: string): ScheduleParseResult {
  const text = written.trim().replace(/\s+/g, " ");
  if (text === "@reboot") return { ok: true, schedule: { text, next: () => [] } };
  if (text.startsWith("@") && !Object.hasOwn(NICKNAMES, text))
    return {
      ok: false,
      message: `cron knows no "${text}"`,
      hint: `it knows @reboot, ${Object.keys(NICKNAMES).join(", ")}`,
    };
  const pattern = NICKNAMES[text] ?? text;
  const fields = pattern.split(" ");
  if (fields.length !== FIELD_NAMES.length)
    return {
      ok: false,
      message: `must have five fields, not ${fields.length}`,
      hint: `${FIELD_NAMES.join(", ")}: e.g. 0 2 * * *`,
    };
  const odd = fields.findIndex((field, index) => !isCronField(field, index));
  if (odd >= 0)
    return {
      ok: false,
      message: `the ${FIELD_NAMES[odd]} "${fields[odd]}" is not one that cron reads`,
      hint: `it takes ${FIELD_VALUES[odd]}: one, a list (1,5), a range (1-5), all (*), or steps (*/5)`,
    };
  try {
    // Like cron: where both days are given, either will do; a day that begins with a star is not given.
    const domAndDow = fields[2]!.startsWith("*") || fields[4]!.startsWith("*");
    const cron = new Cron(pattern, { paused: true, mode: "5-part", domAndDow });
    if (cron.nextRuns(1, LEAP_YEAR).length === 0) {
      const hint = `day of the month ${fields[2]} and month ${fields[3]} never meet: change one of them`;
      return { ok: false, message: "there is no such day", hint };
    }
    return { ok: true, schedule: { text, next: (from, count) => cron.nextRuns(count, from) } };
  } catch (error) {
    const hint = FIELD_NAMES.map((field, index) => `${field} ${FIELD_VALUES[index]}`).join(", ");
    return { ok: false, message: (error as Error).message.replace(/^CronPattern: /, ""), hint };
  }
}

/** Whether a field has only what cron knows: numbers, names, ranges, steps of a range or of all, lists. */
function isCronField(field: string, index: number): boolean {
  const name = index === 3 ? MONTHS : index === 4 ? DAYS : undefined;
  const one = name === undefined ? "\\d+" : `(?:\\d+|${name})`;
  return field
    .split(",")
    .every((part) => new RegExp(`^(?:${one}|(?:\\*|${one}-${one})(?:/[1-9]\\d*)?)$`, "i").test(part));
}

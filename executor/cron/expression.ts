import { Cron } from "croner";

/** A schedule as a crontab has it. `@reboot` has no next times. */
export interface CronSchedule {
  text: string;
  /** Returns the next `count` times after `from`, in the time zone of this machine. */
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
/** A leap year, so every possible date occurs. */
const LEAP_YEAR = new Date(2028, 0, 1);
const FIELD_NAMES = ["minute", "hour", "day of the month", "month", "day of the week"];
/** The valid values of each field. */
const FIELD_VALUES = ["0-59", "0-23", "1-31", "1-12 or jan-dec", "0-7 (0 and 7: Sunday) or sun-sat"];
const MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec";
const DAYS = "sun|mon|tue|wed|thu|fri|sat";

/** Parses a schedule as Debian's cron does: five fields or a nickname. Extensions of the croner library are rejected. */
export function parseSchedule(expression: string): ScheduleParseResult {
  const text = expression.trim().replace(/\s+/g, " ");
  if (text === "@reboot") return { ok: true, schedule: { text, next: () => [] } };
  if (text.startsWith("@") && !Object.hasOwn(NICKNAMES, text))
    return {
      ok: false,
      message: `cron does not know "${text}"`,
      hint: `it accepts @reboot, ${Object.keys(NICKNAMES).join(", ")}`,
    };
  const pattern = NICKNAMES[text] ?? text;
  const fields = pattern.split(" ");
  if (fields.length !== FIELD_NAMES.length)
    return {
      ok: false,
      message: `must have five fields, not ${fields.length}`,
      hint: `${FIELD_NAMES.join(", ")}: e.g. 0 2 * * *`,
    };
  const invalidIndex = fields.findIndex((field, index) => !isCronField(field, index));
  if (invalidIndex >= 0)
    return {
      ok: false,
      message: `the ${FIELD_NAMES[invalidIndex]} "${fields[invalidIndex]}" is not valid in cron`,
      hint: `it accepts ${FIELD_VALUES[invalidIndex]}: one, a list (1,5), a range (1-5), all (*), or steps (*/5)`,
    };
  try {
    // As in cron, a date matches if either of two restricted day fields matches; a field that begins with * is not restricted.
    const domAndDow = fields[2]!.startsWith("*") || fields[4]!.startsWith("*");
    const cron = new Cron(pattern, { paused: true, mode: "5-part", domAndDow });
    if (cron.nextRuns(1, LEAP_YEAR).length === 0) {
      const hint = `day of the month ${fields[2]} and month ${fields[3]} never occur together: change one of them`;
      return { ok: false, message: "no such date exists", hint };
    }
    return { ok: true, schedule: { text, next: (from, count) => cron.nextRuns(count, from) } };
  } catch (error) {
    const hint = FIELD_NAMES.map((field, index) => `${field} ${FIELD_VALUES[index]}`).join(", ");
    return { ok: false, message: (error as Error).message.replace(/^CronPattern: /, ""), hint };
  }
}

/** Returns whether a field uses only the syntax of cron: numbers, names, ranges, steps of ranges or of *, and lists. */
function isCronField(field: string, index: number): boolean {
  const name = index === 3 ? MONTHS : index === 4 ? DAYS : undefined;
  const value = name === undefined ? "\\d+" : `(?:\\d+|${name})`;
  return field
    .split(",")
    .every((part) => new RegExp(`^(?:${value}|(?:\\*|${value}-${value})(?:/[1-9]\\d*)?)$`, "i").test(part));
}

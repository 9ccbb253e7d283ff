import { UsageError } from "../schemas/errors.js";
import { parseDuration } from "../schemas/quantity.js";

const TIME_OF_DAY = /^([01]?\d|2[0-3]):([0-5]\d)$/;
const DATE = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?)?$/;

/**
 * Parses the end of a drain: a span of time from `now` (2h), a time of day (18:00: the next one), or a date with or without a time, in the
 * time zone of this machine. Throws UsageError, also for a time that is past.
 */
export function parseUntil(text: string, now: Date): Date {
  const end = readUntil(text, now);
  if (end === undefined)
    throw new UsageError(
      `--until ${text}: it must be a span of time, a time of day, or a date`,
      'For example --until 2h, --until 18:00, --until "2026-12-01 18:00".',
    );
  if (end <= now) throw new UsageError(`--until ${text}: this time is past`);
  return end;
}

function readUntil(text: string, now: Date): Date | undefined {
  const time = TIME_OF_DAY.exec(text);
  if (time !== null) {
    const end = new Date(now);
    end.setHours(Number(time[1]), Number(time[2]), 0, 0);
    if (end <= now) end.setDate(end.getDate() + 1);
    return end;
  }
  if (DATE.test(text)) {
    // A date alone would be read as UTC.
    const end = new Date(text.length === 10 ? `${text}T00:00` : text.replace(" ", "T"));
    return Number.isNaN(end.getTime()) || end.getDate() !== Number(text.slice(8, 10)) ? undefined : end;
  }
  // A plain number could be meant as hours or minutes.
  const span = /^[\d.]*$/.test(text) ? undefined : parseDuration(text);
  const end = span?.ok ? new Date(now.getTime() + span.value * 1000) : undefined;
  return end === undefined || Number.isNaN(end.getTime()) ? undefined : end;
}

/** Formats an integer of any size: "1,234,567". Avoids Intl, whose first use takes 15 ms. */
export function formatCount(value: number | bigint): string {
  return `${value}`.replace(/\B(?=(\d{3})+$)/g, ",");
}

const MANY_DAYS = 1000;
const MANY_YEARS = 10_000;
const SECONDS_PER_YEAR = 365.25 * 86400;

/** Formats a duration: "0.42 s", "12 s", "3 min 20 s", "2 h 05 min", "3 d 4 h", "12 years". */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "unknown";
  if (seconds < 10) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  if (whole < 86400)
    return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
  if (whole < MANY_DAYS * 86400) return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
  const years = Math.round(whole / SECONDS_PER_YEAR);
  return years > MANY_YEARS ? `more than ${formatCount(MANY_YEARS)} years` : `${formatCount(years)} years`;
}

/** Formats a time in this machine's time zone: "2026-12-01 18:00". */
export function formatLocalTime(date: Date, precision: "minutes" | "seconds" = "minutes"): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const seconds = precision === "seconds" ? `:${two(date.getSeconds())}` : "";
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}${seconds}`;
}

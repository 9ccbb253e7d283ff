import type { ScheduledEntry } from "../../report/scheduletext.js";

export const scheduled: ScheduledEntry = {
  what: "nightly",
  schedule: "0 2 * * *",
  next: ["2026-11-25T02:00:00.000Z"],
  line: "0 2 * * * muster",
  installed: "no",
};

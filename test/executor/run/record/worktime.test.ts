import t from "tap";
import type { JournalEntry } from "../../../../executor/run/record/journalentry.js";
import { RunReplay } from "../../../../executor/run/record/replay.js";
import { RunTimeline } from "../../../../executor/run/record/runtimeline.js";
import { convertToSecondsAtWork } from "../../../../executor/run/record/worktime.js";

const FIRST = "2026-11-25T20:00:00.000Z";
const SECOND = "2026-11-26T08:00:00.000Z";
const epoch = (iso: string, seconds: number) => Date.parse(iso) / 1000 + seconds;

t.test("times between sessions are the end of the earlier one", async (t) => {
  const sessions = [
    { number: 1, began: FIRST, from: 0, seconds: 80 },
    { number: 2, began: SECOND, from: 80, seconds: 20 },
  ];
  const at = (time: number) => convertToSecondsAtWork(sessions, time);
  t.equal(at(epoch(FIRST, -5)), 0);
  t.equal(at(epoch(FIRST, 30.5)), 30.5);
  t.equal(at(epoch(FIRST, 3600)), 80);
  t.equal(at(epoch(SECOND, 1)), 81);
  t.equal(at(epoch(SECOND, 100)), 100);
});

t.test("an attempt that outlived its coordinator began in the earlier session", async (t) => {
  const entries = [
    { e: "open", session: 1, pid: 1, host: "h", at: FIRST },
    { e: "stopped", at: 80, chunk: "7", node: "a", slot: 0, attempt: 1, seconds: 30, why: "session ended" },
    { e: "open", session: 2, pid: 2, host: "h", at: SECOND },
    { e: "tried", at: 10, chunk: "7", node: "a", slot: 0, attempt: 1, reason: "exit code 1", seconds: 12 * 3600 - 40 },
    { e: "tried", at: 12, chunk: "8", node: "a", slot: 0, attempt: 1, reason: "its files could not be staged" },
    { e: "done", chunk: "9", start: "0", end: "5", length: 10, at: 20, ended: 15 },
  ] as JournalEntry[];
  const replay = new RunReplay();
  const timeline = new RunTimeline();
  for (const entry of entries) {
    replay.apply(entry);
    timeline.add(entry, replay);
  }
  t.match(timeline.stoppedAttempts, [{ from: 50, at: 80 }]);
  t.match(timeline.failedAttempts, [
    { from: 50, at: 90 },
    { from: 92, at: 92 },
  ]);
  t.same(timeline.commits.get("9"), { index: 0, end: 95, endEpochSeconds: epoch(SECOND, 15), units: 5n });
});

import t from "tap";
import type { JournalEntry } from "../../../../executor/run/record/journalentry.js";
import { OpenPilots } from "../../../../executor/run/record/openpilots.js";

type PilotEntry = Extract<JournalEntry, { e: "pilot" }>;

function replay(...entries: Partial<PilotEntry>[]) {
  const pilots = new OpenPilots();
  const usual = {
    e: "pilot",
    at: "2026-11-30T12:00:00.000Z",
    cluster: "hpc",
    inventory: "/i.yaml",
    token: "a",
  } as const;
  for (const entry of entries) pilots.apply({ ...usual, state: "submitting", ...entry });
  return [...pilots];
}

t.test("what the journal tells of pilots", async (t) => {
  const open = { cluster: "hpc", inventory: "/i.yaml", token: "a" };
  const table: [what: string, entries: Partial<PilotEntry>[], expected: unknown[]][] = [
    ["about to be submitted", [{}], [open]],
    ["submitted", [{}, { state: "submitted", id: "7" }], [{ ...open, id: "7" }]],
    [
      "seen running, in two sessions",
      [
        {},
        { state: "submitted", id: "7" },
        { state: "running", id: "7", at: "2026-11-30T12:00:05.000Z" },
        { state: "running", id: "7", at: "2026-11-30T12:30:00.000Z" },
      ],
      [{ ...open, id: "7", beganAtMs: Date.parse("2026-11-30T12:00:05.000Z") }],
    ],
    ["over", [{}, { state: "submitted", id: "7" }, { state: "over" }], []],
    ["over before its submission was answered", [{}, { state: "over" }], []],
    [
      "several",
      [{}, { token: "b" }, { token: "a", state: "over" }, { token: "c", cluster: "other" }],
      [
        { ...open, token: "b" },
        { ...open, token: "c", cluster: "other" },
      ],
    ],
    [
      "found though no record tells of it",
      [{ state: "submitted", id: "9", token: "x" }],
      [{ ...open, token: "x", id: "9" }],
    ],
  ];
  for (const [what, entries, expected] of table) t.strictSame(replay(...entries), expected, what);
});

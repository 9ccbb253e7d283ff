import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { Journal } from "../../../../executor/run/record/journal.js";
import type { JournalEntry, StopReason } from "../../../../executor/run/record/journalentry.js";
import { readRunHistory } from "../../../../executor/run/record/runhistory.js";

const folder = mkdtempSync(join(tmpdir(), "muster-history-"));
t.teardown(() => rmSync(folder, { recursive: true }));

const began = "2026-11-25T20:00:00.000Z";
const open = (session: number, at = began): JournalEntry => ({ e: "open", session, pid: 1, host: "h", at });
const line = (chunk: string, slot: number, seconds: number, output: unknown = null, gpus?: number[]) =>
  `${JSON.stringify({ chunk, node: "a", slot, gpus, attempt: 1, seconds, sha256: "", output })}\n`;

/** A run directory with this journal (a `done` for each line is made to fit) and these results. */
async function runWith(
  name: string,
  lines: string[],
  entries: (done: JournalEntry[]) => JournalEntry[],
): Promise<string> {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, "results.ndjson"), lines.join(""));
  const done = lines.map((text, n): JournalEntry => {
    return { e: "done", chunk: JSON.parse(text).chunk, start: `${n * 10}`, end: `${n * 10 + 10}`, length: text.length };
  });
  let length = 0;
  const file = join(path, "journal.ndjson");
  const journal = Journal.resume(openSync(file, "a+"), file, () => {});
  journal.add({ e: "run", id: name, name, identity: "{}", inputs: {}, units: "100" });
  for (const entry of entries(done)) {
    if (entry.e === "done") length += entry.length;
    journal.add(entry.e === "done" ? { ...entry, length } : entry);
  }
  await journal.flush();
  journal.close();
  return path;
}

t.test("times of groups, sessions one after another, results in any order", async (t) => {
  const lines = [line("c", 0, 4), line("a", 1, 5, { node: '","output":' }), line("b", 0, 3)];
  const path = await runWith("timed", lines, ([c, a, b]) => [
    open(1),
    { e: "node", at: 1, node: "a", state: "live", slots: [0, 1] },
    { ...a!, at: 6 } as JournalEntry,
    b!,
    open(2, "2026-11-27T20:00:00.000Z"),
    { ...c!, at: 4.5 } as JournalEntry,
    { e: "close", state: "complete", at: "2026-11-27T20:00:05.000Z" },
  ]);
  const { executions, seconds, sessions, missing } = await readRunHistory(path, 0);
  t.match(executions, [
    { chunk: "a", slot: 1, seconds: 5, units: 10n, end: 6 },
    { chunk: "b", slot: 0, end: 6 },
    { chunk: "c", slot: 0, end: 10.5 },
  ]);
  t.match(sessions, [
    { number: 1, from: 0, seconds: 6 },
    { number: 2, from: 6, seconds: 5 },
  ]);
  t.equal(seconds, 11);
  t.same(missing, []);
});

t.test("a chunk has the slots of its GPUs where it has several, and its own slot where it shares one", async (t) => {
  const lines = [line("wide", 0, 4, null, [0, 1]), line("share", 5, 5, null, [1]), line("cpu", 4, 3)];
  const path = await runWith("slots", lines, (done) => [open(1), ...done]);
  const { executions } = await readRunHistory(path, 0);
  t.same(
    executions.map(({ chunk, slots }) => [chunk, slots]),
    [
      ["wide", [0, 1]],
      ["share", [5]],
      ["cpu", [4]],
    ],
  );
});

t.test("without known durations, the plan shows an order per slot, and says so", async (t) => {
  const path = await runWith("old", [line("a", 0, 2), line("b", 0, 3), line("c", 1, 4)], (done) => [
    open(1),
    ...done,
    { e: "close", state: "complete", at: "2026-11-25T20:00:09.000Z" },
  ]);
  const { executions, seconds, missing } = await readRunHistory(path, 0);
  t.same(
    executions.map(({ end }) => end),
    [2, 5, 4],
  );
  t.equal(seconds, 9);
  t.match(missing, [/was not written down/, /an older muster/]);
});

t.test("uncommitted results are ignored, and missing committed ones are reported", async (t) => {
  const path = await runWith("odd", [line("a", 0, 2), line("b", 0, 3)], (done) => [open(1), ...done]);
  writeFileSync(join(path, "results.ndjson"), `${line("a", 0, 2)}{"chunk": torn\n${" ".repeat(200)}${line("z", 0, 9)}`);
  const { executions, missing } = await readRunHistory(path, 0);
  t.same(
    executions.map(({ chunk }) => chunk),
    ["a"],
  );
  t.match(missing.at(-1), "results.ndjson lacks 1 of the chunks");
});

t.test("when programs ran, what was stopped, and what ran when the coordinator was killed", async (t) => {
  const lines = [line("a", 0, 3), line("b", 1, 4)];
  const stopped = (chunk: string, why: StopReason): JournalEntry => {
    return { e: "stopped", at: 8, chunk, node: "a", slot: 1, attempt: 1, seconds: 2, why };
  };
  const path = await runWith("killed", lines, ([a, b]) => [
    open(1),
    stopped("b", "session ended"),
    stopped("z", "superseded"),
    { ...stopped("b", "preempted"), by: "high" } as JournalEntry,
    open(2, "2026-11-25T20:00:09.000Z"),
    { ...a!, at: 6, ended: 5 } as JournalEntry,
    { ...b!, ended: 1 } as JournalEntry,
    { e: "node", at: 10, node: "a", state: "live", slots: [0, 1] },
  ]);
  const live = (session: number, slots: unknown[]) =>
    writeFileSync(join(path, "live.json"), JSON.stringify({ version: 1, session, slots }));
  const running = { chunk: "c", attempt: 2, since: "2026-11-25T20:00:12.000Z" };
  live(2, [
    { node: "a", slot: 0, running },
    { node: "a", slot: 1 },
  ]);
  const killed = await readRunHistory(path, 0);
  t.match(killed.executions, [
    { chunk: "a", from: 10, end: 13 },
    { chunk: "b", from: 6, end: 9 },
  ]);
  t.match(
    killed.stoppedAttempts.map(({ chunk, why, by }) => [chunk, why, by]),
    [
      ["z", "superseded", undefined],
      ["b", "preempted", "high"],
    ],
    "what was committed later is not reported twice; a chunk that was preempted ran again",
  );
  t.same(killed.openAttempts, [{ chunk: "c", node: "a", slot: 0, attempt: 2, from: 11 }]);
  live(1, [{ node: "a", slot: 0, running }]);
  t.same((await readRunHistory(path, 0)).openAttempts, [], "of an earlier session");
  writeFileSync(join(path, "live.json"), "{");
  t.same((await readRunHistory(path, 0)).openAttempts, [], "damaged");
});

t.test("what GPUs used in all sessions, at the prices of the nodes, and GPUs that idled", async (t) => {
  const pci = "0000:03:00.0";
  const usage = [{ pci, samples: 2, seconds: 10, wattHours: 0.5, watts: { mean: 180, max: 200 } }];
  const used = (chunk: string, more: object) =>
    `${JSON.stringify({ chunk, node: "a", slot: 0, gpus: [0], cards: [{ pci }], ...more, attempt: 1, seconds: 10, sha256: "", output: null })}\n`;
  const path = await runWith("usage", [used("x", { usage }), used("y", { usage }), used("z", {})], ([x, y, z]) => [
    open(1),
    { e: "node", at: 1, node: "a", state: "live", slots: [0], price: 0.2 },
    { ...x!, at: 12, ended: 11 } as JournalEntry,
    open(2, "2026-11-27T20:00:00.000Z"),
    { e: "node", at: 1, node: "a", state: "live", slots: [0], price: 0.3 },
    { e: "node", at: 2, node: "a", state: "silent", reason: "no answer" },
    { e: "idle", at: 5, chunk: "y", node: "a", slot: 0, attempt: 1, pci, seconds: 120 },
    { ...y!, at: 14, ended: 13 } as JournalEntry,
    { ...z!, at: 24, ended: 23 } as JournalEntry,
  ]);
  const { usage: sums, idleEntries } = await readRunHistory(path, 0);
  t.match(sums, { results: 2, wattHours: 1, seconds: 20, computedSeconds: 30, cost: 0.0003, unitsPerWattHour: 20 });
  t.match(sums!.nodes, [{ node: "a", price: 0.3, cards: [{ pci, watts: { mean: 180, max: 200 } }] }]);
  t.match(idleEntries, [{ at: 17, chunk: "y", pci, seconds: 120 }]);
});

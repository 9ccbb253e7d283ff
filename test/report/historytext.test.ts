import t from "tap";
import type { ChunkExecution, RunHistory } from "../../executor/run/record/runhistory.js";
import { breakDownRun } from "../../report/breakdown.js";
import { renderHistoryPage } from "../../report/historypage.js";
import { bigintToDecimal, buildHistoryDocument, formatHistory } from "../../report/historytext.js";
import { buildLanes } from "../../report/page/lanes.js";

const HOSTILE = `</title><script>alert("x")</script>\u001b[31m&'`;

const ran = (
  node: string,
  slot: number,
  end: number,
  seconds: number,
  more: Partial<ChunkExecution> = {},
): ChunkExecution => ({
  chunk: `${end}`,
  node,
  slot,
  attempt: 1,
  units: 10n,
  seconds,
  end,
  ...more,
});

/** A run of 100 s: node a has two slots, of which the second fails; node b is lost and returns. */
const history: RunHistory = {
  status: {
    name: "sieve",
    path: "/runs/sieve",
    state: "partial",
    started: "2026-11-25T20:00:00.000Z",
    chunks: { done: 4, failed: 1 },
    units: { done: "40", total: "50" },
    nodes: ["a", "b"],
  },
  seconds: 100,
  sessions: [
    { number: 1, began: "2026-11-25T20:00:00.000Z", from: 0, seconds: 80 },
    { number: 2, began: "2026-11-26T08:00:00.000Z", from: 80, seconds: 20 },
  ],
  executions: [
    ran("a", 0, 50, 50),
    ran("b", 0, 20, 20, { attempt: 2 }),
    ran("a", 0, 90, 40),
    ran("b", 0, 95, 5, { chunk: HOSTILE, units: 2n ** 64n }),
  ],
  failedAttempts: [{ e: "tried", at: 12, chunk: "7", node: "a", slot: 1, attempt: 1, reason: HOSTILE }],
  nodeEntries: [
    { e: "node", at: 1, node: "a", state: "live", slots: [0, 1] },
    { e: "node", at: 1, node: "b", state: "live", slots: [0] },
    { e: "node", at: 30, node: "b", state: "silent", reason: HOSTILE },
    { e: "node", at: 60, node: "b", state: "live", slots: [0] },
  ],
  slotEntries: [
    { e: "slot", at: 12, node: "a", slot: 1, out: HOSTILE },
    { e: "slot", at: 70, node: "a", slot: 1 },
  ],
  failures: [
    { chunk: "7", node: "a", slot: 1, attempt: 1, exit: 1, signal: null, reason: "exit code 1", stderr: HOSTILE },
  ],
  summary: undefined,
  missing: [],
};

t.test("breaks a run down by node and slot", async (t) => {
  const { nodes, slowest, happenings } = breakDownRun(history);
  t.match(nodes, [
    {
      node: "a",
      chunks: 2,
      units: 20n,
      busy: 90,
      share: 0.45,
      failed: 1,
      slots: [
        { slot: 0, chunks: 2, share: 0.9, rate: 20 / 90 },
        { slot: 1, chunks: 0, share: 0, rate: undefined, failed: 1 },
      ],
    },
    { node: "b", chunks: 2, retried: 1, share: 0.25 },
  ]);
  t.same(
    slowest.map(({ seconds }) => seconds),
    [50, 40, 20, 5],
  );
  t.match(happenings, [
    { at: 12, node: "a", slot: 1, what: /^disabled: / },
    { at: 30, node: "b", what: /^silent: / },
    { at: 60, node: "b", what: "is back" },
    { at: 70, node: "a", slot: 1, what: "enabled again" },
    { at: 80, what: /^session 2 began/ },
  ]);
});

t.test("on a terminal: 80 columns, and text from nodes is escaped", async (t) => {
  const text = formatHistory(history, false);
  for (const line of text.split("\n")) t.ok(line.length <= 80, line);
  t.notMatch(text, "\u001b");
  t.match(text, /^sieve: partial: 4 chunks done, 1 failed\n {2}active for 1 min 40 s in 2 sessions, started 2026/);
  t.match(text, /\na +2 +20 +45 % +[\d.]+\/s +1\n {2}slot 0 +2 +20 +90 %/);
  t.match(text, /\nevents:\n {2}after 12 s +a slot 1: disabled/);
  t.match(text, /\nfailed chunks:\nfailed: chunk 7 on a slot 1, attempt 1: exit code 1\n/);
});

t.test("many slots and events are summarized unless all are requested", async (t) => {
  const slots = Array.from({ length: 100 }, (_, slot) => slot);
  const many: RunHistory = {
    ...history,
    nodeEntries: [{ e: "node", at: 1, node: "a", state: "live", slots }],
    slotEntries: slots.map((slot) => ({ e: "slot", at: slot, node: "a", slot, out: "sick" })),
  };
  t.match(formatHistory(many, false), /\n101 slots: use -v to list them\n[\s\S]*and 81 more: use -v to list all/);
  t.match(formatHistory(many, true), /slot 99 /);
});

t.test("JSON output has exact numbers of any size", async (t) => {
  const document = JSON.parse(JSON.stringify(buildHistoryDocument(history), bigintToDecimal));
  t.match(document, { name: "sieve", seconds: 100, nodes: [{ node: "a" }, { node: "b" }], failures: [{ chunk: "7" }] });
  t.equal(document.nodes[1].units, `${2n ** 64n + 10n}`);
});

t.test("lanes: when a slot ran chunks, was disabled, or its node unreachable; chunks never overlap", async (t) => {
  const [, second, third] = buildLanes({ ...history, executions: [ran("b", 0, 20, 20), ran("b", 0, 25, 10)] });
  t.match(second, { node: "a", slot: 1, spans: [{ from: 12, to: 70, what: "out" }], failed: [{ at: 12 }] });
  t.match(third?.spans, [
    { from: 30, to: 60, what: "away" },
    { from: 0, to: 20, what: "ran" },
    { from: 20, to: 25, what: "ran" },
  ]);
  const executions = Array.from({ length: 50_000 }, (_, n) => ran("a", 0, (n + 1) / 500, 1 / 500));
  const [lane] = buildLanes({ ...history, executions });
  t.ok(lane!.spans.length < 1000, `${lane!.spans.length} spans for 50,000 chunks`);
  t.match(lane!.spans.at(-1), { to: 100 });
});

t.test("the page is self-contained, and text from nodes is escaped", async (t) => {
  const page = renderHistoryPage(history);
  t.notMatch(page, /<script/);
  t.notOk(page.includes("\u001b"));
  t.match(page, "&lt;/title&gt;&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;\\x1b[31m&amp;&#39;");
  t.notMatch(page, /(src|href)=|https?:|url\(|@import/, "nothing is fetched");
  t.match(page, "default-src 'none'");
  for (const what of ["ran", "retried", "out", "away"]) t.match(page, `<rect class="${what}"`);
  t.match(page, '<path class="failed"');
});

import t from "tap";
import type { ChunkExecution, RunHistory } from "../../executor/run/record/runhistory.js";
import { breakDownRun } from "../../report/breakdown.js";
import { renderHistoryPage } from "../../report/historypage.js";
import { bigintToDecimal, buildHistoryDocument, formatHistory } from "../../report/historytext.js";
import { buildSlotLanes } from "../../report/page/lanes.js";
import { SPAN_KINDS } from "../../report/page/spans.js";

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
  slots: [slot],
  attempt: 1,
  units: 10n,
  seconds,
  from: end - seconds,
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
  failedAttempts: [{ e: "tried", from: 7, at: 12, chunk: "7", node: "a", slot: 1, attempt: 1, reason: HOSTILE }],
  stoppedAttempts: [
    { e: "stopped", from: 75, at: 95, seconds: 20, chunk: HOSTILE, node: "a", slot: 1, attempt: 1, why: "superseded" },
  ],
  unstartedStops: [],
  openAttempts: [{ chunk: HOSTILE, node: "b", slot: 0, attempt: 1, from: 97 }],
  nodeEntries: [
    { e: "node", at: 1, node: "a", state: "live", slots: [0, 1] },
    { e: "node", at: 1, node: "b", state: "live", slots: [0] },
    { e: "node", at: 30, node: "b", state: "silent", reason: HOSTILE },
    { e: "node", at: 60, node: "b", state: "live", slots: [0] },
  ],
  idleEntries: [],
  usage: undefined,
  slotEntries: [
    { e: "slot", at: 12, node: "a", slot: 1, out: HOSTILE },
    { e: "slot", at: 70, node: "a", slot: 1 },
  ],
  healEntries: [{ e: "heal", at: 40, node: "b", step: "failed", text: HOSTILE }],
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
      busy: 115,
      share: 0.575,
      failed: 1,
      slots: [
        { slot: 0, chunks: 2, share: 0.9, rate: 20 / 90 },
        { slot: 1, chunks: 0, busy: 25, share: 0.25, rate: undefined, failed: 1 },
      ],
    },
    { node: "b", chunks: 2, retried: 1, share: 0.28 },
  ]);
  t.same(
    slowest.map(({ seconds }) => seconds),
    [50, 40, 20, 5],
  );
  t.match(happenings, [
    { at: 12, node: "a", slot: 1, what: /^disabled: / },
    { at: 30, node: "b", what: /^silent: / },
    { at: 40, node: "b", what: HOSTILE },
    { at: 60, node: "b", what: "is back" },
    { at: 70, node: "a", slot: 1, what: "enabled again" },
    { at: 80, what: /^session 2 began/ },
  ]);
});

t.test("a chunk on several slots keeps all of them busy", async (t) => {
  const wide = { ...history, executions: [ran("b", 0, 20, 20, { slots: [0, 1] })], openAttempts: [] };
  const { nodes } = breakDownRun(wide);
  t.match(nodes[1]?.slots, [
    { slot: 0, chunks: 1, busy: 20 },
    { slot: 1, chunks: 0, busy: 20 },
  ]);
  const lanes = buildSlotLanes(wide).filter(({ group }) => group === "b");
  t.same(
    lanes.map(({ spans }) => spans.filter(({ what }) => what === "ran").length),
    [1, 1],
  );
});

t.test("on a terminal: 80 columns, and text from nodes is escaped", async (t) => {
  const text = formatHistory(history, false);
  for (const line of text.split("\n")) t.ok(line.length <= 80, line);
  t.notMatch(text, "\u001b");
  t.match(
    text,
    /^sieve: partial: 4 chunks done, 1 failed\n {2}active for 1 min 40 s in 2 sessions, started 2026-11-2\d \d\d:\d\d:00\n/,
  );
  t.match(text, /\na +2 +20 +5[78] % +[\d.]+\/s +1\n {2}slot 0 +2 +20 +90 %/);
  t.match(text, /\nevents:\n {2}after 12 s +a slot 1: disabled/);
  t.match(text, /\n {2}1 attempt failed, 1 attempt superseded, 1 attempt running\n/);
  t.match(text, /\nfailed chunks:\nfailed: chunk 7 on a slot 1, attempt 1: exit code 1\n/);
});

t.test("many slots and events are summarized unless all are requested", async (t) => {
  const slots = Array.from({ length: 100 }, (_, slot) => slot);
  const many: RunHistory = {
    ...history,
    nodeEntries: [{ e: "node", at: 1, node: "a", state: "live", slots }],
    healEntries: [],
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

t.test(
  "lanes: attempts from start to end, whatever became of them, and slots and nodes that were out; no overlaps",
  async (t) => {
    const [, second, third] = buildSlotLanes({ ...history, executions: [ran("b", 0, 20, 20), ran("b", 0, 25, 10)] });
    t.match(second, {
      group: "a",
      name: "a 1",
      spans: [
        { from: 12, to: 70, what: "out" },
        { from: 75, to: 95, what: "superseded", title: /another attempt has the chunk/ },
        { from: 7, to: 12, what: "failed", title: /^chunk 7, attempt 1 failed after 5.0 s: / },
      ],
    });
    t.match(third?.spans, [
      { from: 30, to: 60, what: "away" },
      { from: 0, to: 20, what: "ran" },
      { from: 20, to: 25, what: "ran" },
      { from: 97, to: 100, what: "running" },
    ]);
    const executions = Array.from({ length: 50_000 }, (_, n) => ran("a", 0, (n + 1) / 500, 1 / 500));
    const failedAttempts = executions.map(({ from, chunk }) => ({
      ...history.failedAttempts[0]!,
      chunk,
      from: from - 0.001,
      at: from,
      slot: 0,
    }));
    const [lane] = buildSlotLanes({ ...history, executions, failedAttempts });
    t.ok(lane!.spans.length <= 1000, `${lane!.spans.length} spans for 50,000 chunks, each with a failed attempt`);
    for (const what of ["ran", "failed"])
      t.ok(Math.abs(lane!.spans.findLast((one) => one.what === what)!.to - 100) < 0.1);
  },
);

t.test("the page is self-contained, and text from nodes is escaped", async (t) => {
  const page = renderHistoryPage(history);
  t.notMatch(page, /<script/);
  t.notOk(page.includes("\u001b"));
  t.match(page, "&lt;/title&gt;&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;\\x1b[31m&amp;&#39;");
  t.notMatch(page, /(src|href)=|https?:|url\(|@import/, "nothing is fetched");
  t.match(page, "default-src 'none'");
  for (const what of SPAN_KINDS) t.match(page, `<rect class="${what}"`);
  t.equal(page.match(/<path class="break"/g)?.length, 3, "the second session is visible on each lane");
});

t.test("failures are grouped on the page, so that its size does not grow with their number", async (t) => {
  const stderr = `Traceback (most recent call last):\n  File "bad.py", line 2\nSyntaxError: ${"x".repeat(500)}\n`;
  const failures = Array.from({ length: 2000 }, (_, n) => ({ ...history.failures[0]!, chunk: `${n}`, stderr }));
  const failedAttempts = failures.map(({ chunk }, n) => ({
    ...history.failedAttempts[0]!,
    chunk,
    from: n / 20,
    at: n / 20,
  }));
  const page = renderHistoryPage({ ...history, failures, failedAttempts });
  t.match(page, "<h3>2,000 chunks: SyntaxError in bad.py line 2</h3>");
  t.match(page, /<p>others: 1, 2, .* and 1,979 more<\/p>/);
  t.ok(page.length < 150_000, `${page.length} characters`);
});

t.test("the page fits 400 pixels: nothing has a fixed width, and wide tables scroll", async (t) => {
  const page = renderHistoryPage(history);
  t.match(page, '<meta name="viewport" content="width=device-width, initial-scale=1">');
  const widths = [...page.matchAll(/(?:^|[ ;{])(?:min-)?width: (\d+)px/g)].map(([, width]) => Number(width));
  t.ok(Math.max(...widths) <= 400, `${widths}`);
  t.notMatch(page, /<svg[^>]* width=|<text/, "images stretch, and text is not part of them");
  t.equal(page.match(/<table/g)?.length, page.match(/<div class="scroll"><table/g)?.length);
});

t.test("a chunk that was preempted: which run has it, in the head, the events and the lanes", async (t) => {
  const stopped = {
    from: 70,
    at: 75,
    seconds: 5,
    chunk: "8",
    node: "a",
    slot: 1,
    attempt: 1,
    why: "preempted",
  } as const;
  const preempted: RunHistory = { ...history, stoppedAttempts: [{ e: "stopped", ...stopped, by: HOSTILE }] };
  const text = formatHistory(preempted, false);
  t.match(text, "1 attempt preempted");
  t.match(text, /after 1 min 15 s +a slot 1: chunk 8 preempted by run <\/title>/);
  t.notMatch(text, "\u001b");
  const [, lane] = buildSlotLanes(preempted);
  const title = lane?.spans.find(({ from }) => from === 70)?.title;
  t.match(title, /stopped after 5.0 s for run [\s\S]*, which has a higher priority/);
});

t.test("a GPU that idled in a chunk is an event that fits into a line", async (t) => {
  const pci = "0000:06:00.0";
  const idle = { e: "idle", at: 40, chunk: "n=1", node: "a", slot: 1, attempt: 1, pci, seconds: 120 } as const;
  const text = formatHistory({ ...history, idleEntries: [idle] }, false);
  t.match(text, /^ {2}after 40 s {7}a slot 1: chunk n=1: GPU 0000:06:00\.0 idle \(0 %\) for 120 s$/m);
});

import t from "tap";
import type { LiveRun } from "../../executor/run/record/liverun.js";
import { countColumns } from "../../report/columns.js";
import { renderRun } from "../../report/liveview.js";
import { renderPipeline } from "../../report/pipelineview.js";
import { createBusySlot, createLiveNode, createLiveRun, LIVE_NOW_MS, secondsAgo } from "./liverunsample.js";

const plain = (text: string) => text;
const frame = (columns: number, rows = 24) => ({ columns, rows, nowMs: LIVE_NOW_MS, paint: plain });
const calm: Partial<LiveRun> = {
  chunks: { done: 4, failed: 0 },
  nodes: [createLiveNode("rig")],
  slots: [createBusySlot("rig", 0, 60, { expectedSeconds: 90 })],
  waiting: { units: "5", seconds: 100 },
  omitted: undefined,
};
const range: Partial<LiveRun> = {
  ...calm,
  kind: "range",
  units: { done: "1234567", session: "1234567", total: "4000000000" },
  waiting: { units: "3998000000" },
  slots: [
    createBusySlot("rig", 0, 12, { chunk: "1234567-2234567", progress: 0.4, progressAt: secondsAgo(2) }),
    createBusySlot("rig", 1, 5, { chunk: "2234567-2244567" }),
  ],
};

const TABLE: [what: string, change: Partial<LiveRun>, columns: number, lines: string[]][] = [
  [
    "a run at work",
    calm,
    80,
    [
      "sieve [########------------] 40.0 %  1 min 10 s, about 1 min 55 s left",
      "  4 of 10 done, 1 running, 5 waiting",
      "  rig  1/2 running, 4 done, 0.057/s  c0: 1 min 00 s of about 1 min 30 s",
    ],
  ],
  [
    "a run at work",
    calm,
    140,
    [
      "sieve [########------------] 40.0 %  4 of 10 done, 1 running, 5 waiting  1 min 10 s, about 1 min 55 s left",
      "  rig  1/2 running, 4 done, 0.057/s  c0: 1 min 00 s of about 1 min 30 s",
    ],
  ],
  [
    "a range whose program reports its progress",
    range,
    80,
    [
      "sieve [--------------------] 0.0 %  1 min 10 s, time left unknown",
      "  4 chunks done, 1 running, 3,998,000,000 units waiting",
      "  rig  1/2 running, 4 done, 0.057/s  1234567-2234567: 12 s of about 25 s, 40 %",
    ],
  ],
  [
    "a range with one chunk done",
    { ...range, chunks: { done: 1, failed: 0 } },
    80,
    [
      "sieve [--------------------] 0.0 %  1 min 10 s, time left unknown",
      "  1 chunk done, 1 running, 3,998,000,000 units waiting",
      "  rig  1/2 running, 4 done, 0.057/s  1234567-2234567: 12 s of about 25 s, 40 %",
    ],
  ],
  [
    "failures, a node that is away, a disabled slot and a chunk far over its time",
    {},
    80,
    [
      "sieve [########------------] 40.0 %  1 min 10 s, about 30 s left",
      "  4 of 10 done, 1 running, 3 waiting, 1 failed",
      "  rig   1/2 running, 4 done, 0.057/s, 1 failed, 1 slot disabled, 1 slot waits f",
      "  hera  away: no route",
      "  c0 on rig slot 0: running for 1 min 00 s, 10 s expected",
    ],
  ],
  [
    "a chunk says what it does, and has stalled",
    {
      ...calm,
      slots: [createBusySlot("rig", 0, 400, { progress: 0.5, progressAt: secondsAgo(320), text: "epoch\n3" })],
    },
    90,
    [
      "sieve [########------------] 40.0 %  1 min 10 s, about 4 min 00 s left",
      "  4 of 10 done, 1 running, 5 waiting",
      "  rig  1/2 running, 4 done, 0.057/s  c0: 6 min 40 s of about 2 min 40 s, 50 %, epoch 3",
      "  c0 on rig slot 0: no progress for 5 min 20 s",
    ],
  ],
  [
    "all chunks have ended",
    {
      ...calm,
      slots: [],
      running: 0,
      waiting: { units: "0", seconds: 0 },
      units: { done: "10", session: "10", total: "10" },
      collecting: 0,
    },
    140,
    ["sieve [####################] 100.0 %  4 of 10 done  1 min 10 s", "  rig  1/2 running, 4 done, 0.057/s"],
  ],
];

for (const [what, change, columns, lines] of TABLE)
  t.test(`${what}, at ${columns} columns`, async (t) =>
    t.same(renderRun(createLiveRun(change), "sieve", frame(columns)), lines),
  );

t.test("more nodes than rows are folded, and no line is longer than the terminal", async (t) => {
  const nodes = Array.from({ length: 40 }, (_, index) => createLiveNode(`rig-${index}`));
  for (const [columns, rows] of [
    [80, 24],
    [140, 10],
    [30, 5],
    [10, 2],
  ] as const) {
    const lines = renderRun(createLiveRun({ ...calm, nodes }), "sieve", frame(columns, rows));
    t.ok(lines.length <= rows, `${lines.length} lines in ${rows} rows`);
    t.ok(
      lines.every((line) => countColumns(line) < columns),
      lines.join("\n"),
    );
    if (rows > 4)
      t.match(lines.at(-1), `and ${40 - rows + (columns === 140 ? 2 : 3)} more nodes`.slice(0, columns - 3));
  }
});

t.test("text from nodes is cut and cannot bring sequences of its own", async (t) => {
  for (const reason of ["日本".repeat(60), "\u001b[2J\u202e\ud800".repeat(40), "a\nb\tc", "\u{1f600}".repeat(60)]) {
    const nodes = [createLiveNode("rig", { state: "away", reason })];
    for (const line of renderRun(createLiveRun({ nodes }), "sieve", frame(80))) {
      t.ok(countColumns(line) <= 79, line);
      t.notMatch(line, /[\n\t\p{Cc}\p{Cf}\p{Cs}]/u);
    }
  }
});

t.test("done is good, failures are bad and what waits is quiet", async (t) => {
  const paint = (text: string, tone: string) => (tone === "plain" ? text : `<${tone}>${text}</>`);
  const [, counts, , away] = renderRun(createLiveRun(), "sieve", { ...frame(80), paint });
  t.equal(counts, "  <good>4 of 10 done</>, 1 running, <quiet>3 waiting</>, <bad>1 failed</>");
  t.match(away, "<bad>away: no route</>");
});

t.test("a pipeline shows its running steps, and the nodes of each that is a job", async (t) => {
  const live = createLiveRun(calm);
  const sinceMs = LIVE_NOW_MS - 90_000;
  const running = [
    { name: "fetch", sinceMs },
    { name: "sieve", sinceMs, live },
  ];
  const pipeline = { name: "nightly", sinceMs, total: 7, done: 2, failed: 1, running };
  t.same(renderPipeline(pipeline, frame(80)), [
    "nightly  2 of 7 steps done, 2 running, 2 waiting, 1 failed, 1 min 30 s",
    "fetch: running for 1 min 30 s",
    "sieve [########------------] 40.0 %  1 min 10 s, about 1 min 55 s left",
    "  4 of 10 done, 1 running, 5 waiting",
    "  rig  1/2 running, 4 done, 0.057/s  c0: 1 min 00 s of about 1 min 30 s",
  ]);
  const many = Array.from({ length: 30 }, (_, index) => ({ name: `s${index}`, sinceMs, live }));
  for (const rows of [24, 10, 2, 1]) {
    const lines = renderPipeline({ ...pipeline, running: many }, frame(80, rows));
    t.ok(lines.length <= rows, `${lines.length} lines in ${rows} rows`);
    if (rows > 2) t.match(lines.at(-1), /^and \d+ more running steps$/);
  }
});

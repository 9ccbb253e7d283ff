import t from "tap";
import type { NodeWorker } from "../../executor/run/node/nodeworker.js";
import type { RunView } from "../../executor/run/runobserver.js";
import { countColumns } from "../../report/columns.js";
import { formatProgress } from "../../report/progresstext.js";

const slots = [0, 1, 2].map((slot) => ({ node: "rig", slot }));
const node = { chunks: 4, units: 4n, failedAttempts: 0 };

/** A run of 10 chunks on one node after one second. */
function view(worker: object, out: [slot: number, back: boolean][], failedAttempts = 0): RunView {
  const of = {
    ...node,
    failedAttempts,
    disabledSlots: new Map(out.map(([slot, back]) => [slot, { reason: "sick", back }])),
  };
  const job = { name: "sieve", units: 10n, kind: "tasks" };
  const tally = { job, units: 4n, chunks: 4, failed: 0, seconds: 1, nodes: new Map([["rig", of]]), forNode: () => of };
  const workers = [
    { node: { name: "rig" }, state: "live", slots, memoryWaitingSlots: 0, ...worker } as unknown as NodeWorker,
  ];
  return { workers: workers, counters: tally } as unknown as RunView;
}

const TABLE: [what: string, view: RunView, line: RegExp][] = [
  ["all well", view({}, []), /^rig {3}3 slots, 4 done, 4[^,]*$/],
  ["a slot is disabled", view({}, [[1, false]]), /4[^,]*, 1 slot disabled$/],
  ["a slot was disabled", view({}, [[1, true]]), /4[^,]*$/],
  ["slots wait for memory", view({ memoryWaitingSlots: 2 }, [[1, false]]), /1 slot disabled, 2 slots wait for memory$/],
  ["attempts failed", view({}, [], 3), /, 3 failed$/],
  ["away", view({ state: "away", reason: "no route" }, []), /^rig {3}away: no route$/],
];

for (const [what, seen, line] of TABLE)
  t.test(what, async (t) => {
    const [first, total] = formatProgress(seen, 200);
    t.match(first, line);
    t.match(total, "sieve: 40 %, 4 of 10 chunks");
  });

t.test("lines of the live display fit the terminal for any text from a node", async (t) => {
  const hostile = [`${"日本".repeat(60)}`, "\u001b[2J\u202e\ud800".repeat(40), "a\nb\tc", "\u{1f600}".repeat(60)];
  for (const reason of hostile)
    for (const line of formatProgress(view({ state: "away", reason }, []), 80)) {
      t.ok(countColumns(line) <= 79, line);
      t.notMatch(line, /[\n\t\p{Cc}\p{Cf}\p{Cs}]/u);
    }
});

import t from "tap";
import { formatTotalProgress, ProgressLines } from "../../report/progresstext.js";
import { createLiveRun, LIVE_NOW_MS } from "./liverunsample.js";

const units = { done: "3", session: "3", total: "3" };
const idle = { kind: "queue", queue: "open", running: 0, waiting: { units: "0" }, collecting: 0, units } as const;
const waiting = createLiveRun({ ...idle, chunks: { done: 3, failed: 0 } });

t.test("a queue that waits has no rate, and says once an hour that it waits", async (t) => {
  const line = "sieve: queue open, 3 of 3 chunks, waiting for tasks";
  t.equal(formatTotalProgress(waiting, LIVE_NOW_MS), line);
  const lines = new ProgressLines();
  const said = Array.from({ length: 8640 }, (_, n) => lines.next(waiting, LIVE_NOW_MS + n * 10_000)).filter(Boolean);
  t.same(said, Array(24).fill(line), "in a day, with a look every 10 s");
});

t.test("what changes is said at once", async (t) => {
  const lines = new ProgressLines();
  t.type(lines.next(waiting, LIVE_NOW_MS), "string");
  t.equal(lines.next(waiting, LIVE_NOW_MS + 10_000), undefined);
  const more = createLiveRun({ ...idle, chunks: { done: 4, failed: 0 }, units: { ...units, total: "4" } });
  t.match(lines.next(more, LIVE_NOW_MS + 20_000), /4 of 4 chunks, waiting/);
  const busy = createLiveRun({ ...idle, running: 1 });
  for (const at of [30_000, 40_000])
    t.match(lines.next(busy, LIVE_NOW_MS + at), /queue open, .*, 0\.\d+\/s/, "as of any run");
  t.match(lines.next(more, LIVE_NOW_MS + 50_000), /4 of 4 chunks, waiting/, "it waits again");
});

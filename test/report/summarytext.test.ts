import t from "tap";
import type { RunSummary } from "../../executor/run/record/runsummary.js";
import { formatSummary } from "../../report/summarytext.js";

/** A run that ended without a usable node. `attempts`: that this session started; `session`: the number of sessions. */
function stranded(attempts: number, session: number): RunSummary {
  return {
    name: "sieve",
    state: "stranded",
    directory: "/runs/sieve",
    chunks: { done: 0, failed: 0 },
    units: { done: "0", total: "10" },
    session: { number: session, chunks: 0, attempts, dropped: 0, seconds: 1 },
    cutLogs: 0,
    nodes: [{ node: "a", state: "away", slots: 2, chunks: 0, units: "0", failedAttempts: 0, reason: "no route" }],
    failures: [],
  };
}

t.test("work that continues is mentioned only where a node may have some", async (t) => {
  const text = (attempts: number, session: number) => formatSummary(stranded(attempts, session), false, {});
  t.notMatch(text(0, 1), /continue on their nodes;/, "no chunk has started");
  t.match(text(2, 1), /running chunks continue on their nodes; to stop them: muster cancel/);
  t.match(text(0, 2), /running chunks continue on their nodes/, "an earlier coordinator may have left some");
});

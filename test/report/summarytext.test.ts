import t from "tap";
import type { RunSummary } from "../../executor/run/record/runsummary.js";
import { FailureGroups } from "../../executor/schedule/halting/failuregroups.js";
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

const failed = (chunk: string, stderr: string) => ({
  chunk,
  node: "a",
  slot: 0,
  attempt: 3,
  exit: 1,
  signal: null,
  reason: "exit code 1",
  stderr,
});

t.test("a run without any result has failed; its failures are grouped by cause", async (t) => {
  const syntax = '  File "bad.py", line 2\n    def f(:\nSyntaxError: invalid syntax\n';
  const failures = Array.from({ length: 24 }, (_, n) => failed(`n=${n}`, syntax));
  const all: RunSummary = { ...stranded(72, 1), state: "partial", chunks: { done: 0, failed: 24 }, failures };
  const text = formatSummary(all, false, {});
  t.match(text, /^sieve: failed: all 24 chunks, 1\.0 s\n/);
  t.match(
    text,
    /^failed: 24 chunks: SyntaxError in bad.py line 2\n {2}first: chunk n=0 on a slot 0, attempt 3: exit code 1$/m,
  );
  t.match(text, /^ {2}others: n=1, n=2, n=3, n=4, n=5 and 18 more$/m);
  const some = formatSummary({ ...all, chunks: { done: 1, failed: 24 } }, false, {});
  t.match(some, /^sieve: partly done: 1 chunk done, 24 failed, /);
  const many = Array.from({ length: 12 }, (_, n) => failed(`${n}`, `problem ${"abcdefghijkl"[n]}\n`));
  const failureGroups = new FailureGroups(many).all.map((group) => ({ ...group, chunks: 50 }));
  const cut = formatSummary({ ...all, chunks: { done: 1, failed: 600 }, failureGroups }, false, {});
  t.match(cut, /^failed: 50 chunks: exit code 1$/m, "all failures count, not only those that are listed");
  t.match(cut, /^and 2 more causes: muster report -v /m);
});

t.test("work that continues is mentioned only where a node may have some", async (t) => {
  const text = (attempts: number, session: number) => formatSummary(stranded(attempts, session), false, {});
  t.notMatch(text(0, 1), /continue on their nodes;/, "no chunk has started");
  t.match(text(2, 1), /running chunks continue on their nodes; to stop them: muster cancel/);
  t.match(text(0, 2), /running chunks continue on their nodes/, "an earlier coordinator may have left some");
});

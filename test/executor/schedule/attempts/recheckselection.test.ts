import t from "tap";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import { isSelectedForRecheck } from "../../../../executor/schedule/attempts/recheckselection.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { failureOf, openRun, rangeJob, singleUnits, startedAttempts } from "../schedulefixture.js";

t.test("selects a share of the chunks, the same in every run, and always the first", async (t) => {
  const job = rangeJob(10_000n, { recheck: { share: 0.02 } });
  const chosen = () =>
    Array.from({ length: 10_000 }, (_, at) => ({ id: `${at}-${at + 1}`, start: BigInt(at) }))
      .filter((chunk) => isSelectedForRecheck(job, chunk))
      .map(({ id }) => id);
  t.ok(chosen().length > 140 && chosen().length < 260, `${chosen().length} of 10000`);
  t.same(chosen(), chosen());
  t.equal(chosen()[0], "0-1");
  t.notOk(isSelectedForRecheck(rangeJob(10n), { id: "0-1", start: 0n }), "without canary, none");
});

/** Runs a job of one chunk on nodes with these numbers of slots until its commit. Returns what is started then. */
function afterCommit(nodes: [string, number][], attempts = 3) {
  const job = rangeJob(1n, { ...singleUnits, recheck: { share: 1 }, retry: { attempts, backoff: 0 } });
  const scheduler = new Scheduler(job, sequentialIds());
  const [first] = openRun(scheduler, nodes);
  scheduler.handle({ type: "finished", attempt: first!.id, seconds: 1 }, 1);
  const out = scheduler.handle({ type: "committed", attempt: first!.id }, 1);
  return { scheduler, first: first!, out };
}

t.test("a selected chunk is computed again on another node, and then the run ends", async (t) => {
  const { scheduler, first, out } = afterCommit([
    ["a", 2],
    ["b", 1],
  ]);
  const [again] = startedAttempts(out);
  t.not(again!.node, first.node);
  t.match(again!.chunk, { id: first.chunk.id, firstResult: { node: first.node, slot: first.slot } });
  scheduler.handle({ type: "finished", attempt: again!.id, seconds: 1 }, 2);
  const end = scheduler.handle({ type: "committed", attempt: again!.id }, 2);
  t.same(startedAttempts(end), [], "no recheck of a recheck");
  t.match(
    end.filter((one) => one.do === "end"),
    [{ do: "end" }],
  );
});

t.test("uses another slot if there is one node, and skips the recheck if there is one slot", async (t) => {
  const { first, out } = afterCommit([["a", 2]]);
  t.match(startedAttempts(out), [{ node: "a", slot: 1 - first.slot }]);
  t.match(afterCommit([["a", 1]]).out, [{ do: "skip-recheck", failure: { reason: /one slot only/ } }, { do: "end" }]);
});

t.test("a recheck that always fails is no failed chunk", async (t) => {
  const { scheduler, out } = afterCommit(
    [
      ["a", 1],
      ["b", 1],
    ],
    1,
  );
  const [again] = startedAttempts(out);
  const then = scheduler.handle({ type: "failed", attempt: again!.id, failure: failureOf(again!) }, 2);
  t.match(then, [{ do: "skip-recheck" }, { do: "end" }]);
});

t.test("rechecks what earlier coordinators have not compared", async (t) => {
  const job = rangeJob(1n, { ...singleUnits, recheck: { share: 1 } });
  const chunk = { ...job.chunk(0n, 1n), firstResult: { node: "a", slot: 0 } };
  const waiting = [{ chunk, history: [{ node: "a", slot: "a/0", forgiven: true }], dueAt: Number.NEGATIVE_INFINITY }];
  const scheduler = new Scheduler(job, sequentialIds(), { done: [[0n, 1n]], rechecks: waiting });
  scheduler.handle({ type: "nodeJoined", node: "a", slots: [{ node: "a", slot: 0 }], limit: 1, held: [] }, 0);
  scheduler.handle({ type: "nodeJoined", node: "b", slots: [{ node: "b", slot: 0 }], limit: 1, held: [] }, 0);
  t.match(startedAttempts(scheduler.handle({ type: "dispatchOpened" }, 0)), [
    { node: "b", chunk: { firstResult: { node: "a" } } },
  ]);
});

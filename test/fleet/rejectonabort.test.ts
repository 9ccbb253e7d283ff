import { getEventListeners } from "node:events";
import t from "tap";
import { rejectOnAbort, resolveWithin } from "../../fleet/rejectonabort.js";

t.test("settles as the promise does, and leaves no listener on the signal", async (t) => {
  const { signal } = new AbortController();
  t.equal(await rejectOnAbort(Promise.resolve(7), signal), 7);
  const failure = new Error("failed");
  await t.rejects(rejectOnAbort(Promise.reject(failure), signal), failure);
  t.same(getEventListeners(signal, "abort"), []);
});

t.test("rejects with the reason of the signal", async (t) => {
  const controller = new AbortController();
  const waiting = rejectOnAbort(new Promise(() => {}), controller.signal);
  const reason = new Error("stalled");
  controller.abort(reason);
  await t.rejects(waiting, reason);
  await t.rejects(
    rejectOnAbort(Promise.resolve(7), controller.signal),
    reason,
    "one that has aborted already counts, too",
  );
  await t.rejects(
    rejectOnAbort(Promise.reject(new Error("unheard")), controller.signal),
    reason,
    "and no rejection is left",
  );
});

t.test("resolves within a time limit, or with undefined", async (t) => {
  t.equal(await resolveWithin(Promise.resolve(7), 1000), 7);
  t.equal(await resolveWithin(new Promise(() => {}), 1), undefined);
  await t.rejects(resolveWithin(Promise.reject(new Error("failed")), 1000), { message: "failed" });
});

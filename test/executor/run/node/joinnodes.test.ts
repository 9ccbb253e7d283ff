import t from "tap";
import { FirstContact } from "../../../../executor/run/node/firstcontact.js";
import { isAbsent, joinNodes } from "../../../../executor/run/node/joinnodes.js";
import type { NodeWorker } from "../../../../executor/run/node/nodeworker.js";

/** A worker whose node joins when `join` is called. */
function fakeWorker(name: string, mayHaveLeftovers = false) {
  let join = () => {};
  const joined = new Promise<void>((resolve) => {
    join = resolve;
  });
  const worker = { node: { name }, cleanup: { mayHaveLeftovers }, join: () => joined } as unknown as NodeWorker;
  return { worker, join };
}

/** Whether a promise has settled by now. */
async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  await new Promise(setImmediate);
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

t.test("only nodes that may hold work are waited for before others get it", async (t) => {
  const [holder, frozen] = [fakeWorker("holder", true), fakeWorker("frozen")];
  const { holders, all } = joinNodes([holder.worker, frozen.worker]);
  t.notOk(await hasSettled(holders));
  holder.join();
  t.ok(await hasSettled(holders));
  t.notOk(await hasSettled(all));
  frozen.join();
  t.ok(await hasSettled(all));
});

t.test("a node is absent that is away or has never answered", async (t) => {
  const firstContact = new FirstContact();
  t.ok(isAbsent({ state: "away", firstContact }));
  t.ok(isAbsent({ state: "connecting", firstContact }));
  t.notOk(isAbsent({ state: "live", firstContact }));
  t.notOk(isAbsent({ state: "refused", firstContact }), "it answers");
  firstContact.recordAnswer();
  t.notOk(isAbsent({ state: "connecting", firstContact }), "it was too slow for a short run");
  t.match(firstContact.describeAbsence(), /not ready/);
  t.match(new FirstContact().describeAbsence(), /^no answer within 0\.\d s/);
});

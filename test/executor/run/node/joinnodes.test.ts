import t from "tap";
import { FirstAnswer } from "../../../../executor/run/node/firstanswer.js";
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
  const firstAnswer = new FirstAnswer();
  t.ok(isAbsent({ state: "away", firstAnswer }));
  t.ok(isAbsent({ state: "connecting", firstAnswer }));
  t.notOk(isAbsent({ state: "live", firstAnswer }));
  t.notOk(isAbsent({ state: "refused", firstAnswer }), "it answers");
  firstAnswer.recordAnswer();
  t.notOk(isAbsent({ state: "connecting", firstAnswer }), "it was too slow for a short run");
  t.match(firstAnswer.describeAbsence(), /not ready/);
  t.match(new FirstAnswer().describeAbsence(), /^no answer within 0\.\d s/);
});

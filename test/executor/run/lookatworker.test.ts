import t from "tap";
import { isPresent, lookAtWorker, type ObservedWorker } from "../../../executor/run/lookatworker.js";
import { createNode } from "../../fleet/nodes.js";

const SINCE_MS = 1000;
const createWorker = (change: Partial<ObservedWorker> = {}): ObservedWorker => ({
  node: createNode(),
  state: "live",
  reason: undefined,
  preparation: { attachment: undefined },
  slotMonitor: { sickGpus: [] },
  agentTracker: { lastAgent: undefined },
  ...change,
});
const look = (change: Partial<ObservedWorker>) => lookAtWorker(createWorker(change), SINCE_MS);

t.test("a run knows how its nodes are without asking them", async (t) => {
  t.same(look({}), { node: createNode(), condition: { kind: "well" }, obstacles: [] });
  t.equal(look({ agentTracker: { lastAgent: { boot: "b1" } } }).boot, "b1");
  const away = (reason: string) => ({ kind: "away", reason, sinceMs: SINCE_MS });
  t.same(look({ state: "silent", reason: "no answer" }).condition, away("no answer"));
  t.same(look({ state: "away", reason: "no route" }).condition, away("no route"));
  t.same(look({ state: "connecting" }).condition, away("it is not connected yet"));
  t.same(look({ state: "refused", reason: "no key" }).condition, { kind: "refused", reason: "no key" });
  t.same(look({ slotMonitor: { sickGpus: ["GPU 0000:03:00.0: N/A", "GPU 1 is not there"] } }).condition, {
    kind: "sick",
    reason: "GPU 0000:03:00.0: N/A; and 1 more",
    cause: "sick-gpu",
  });
  t.match(look({ slotMonitor: { sickGpus: ["GPU 1 is not there: 1 of 2 were found"] } }).condition, {
    cause: "missing-gpu",
  });
});

t.test("a node that is being prepared is there", async (t) => {
  const preparing = createWorker({ state: "connecting", preparation: { attachment: {} } });
  t.ok(isPresent(preparing));
  t.match(lookAtWorker(preparing, SINCE_MS).condition, { kind: "well" });
  t.notOk(isPresent(createWorker({ state: "away" })));
});

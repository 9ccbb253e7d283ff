import t from "tap";
import { AttemptProgress } from "../../../executor/run/attemptprogress.js";
import type { NodeWorker } from "../../../executor/run/node/nodeworker.js";
import type { Attempt } from "../../../executor/schedule/events.js";

const chunk = { start: 100n, end: 200n };
const inFlight = new Map(["a", "b"].map((id) => [id, { id, node: "rig", chunk } as Attempt]));
const progress = () => new AttemptProgress((id) => inFlight.get(id));

function createWorker(name: string) {
  const violations: string[] = [];
  const worker = { node: { name }, refuseForViolation: (reason: string) => violations.push(reason) };
  return { worker: worker as unknown as NodeWorker, violations };
}

const TABLE: [report: { next?: string; share?: number }, share: number | undefined][] = [
  [{ next: "100" }, 0],
  [{ next: "125" }, 0.25],
  [{ next: "900" }, 1],
  [{ next: "3" }, 0],
  [{ share: 0.5 }, 0.5],
  [{}, undefined],
];

for (const [report, share] of TABLE)
  t.test(JSON.stringify(report), async (t) => {
    const [all, { worker, violations }] = [progress(), createWorker("rig")];
    all.receive(worker, { ev: "progress", attempts: [{ id: "a", ...report }] });
    t.equal(all.find(inFlight.get("a")!)?.share, share);
    t.same(violations, []);
  });

t.test("an attempt of another node is refused, one that has ended is ignored", async (t) => {
  const [all, { worker, violations }] = [progress(), createWorker("other")];
  all.receive(worker, {
    ev: "progress",
    attempts: [
      { id: "gone", share: 1 },
      { id: "a", share: 1 },
      { id: "b", share: 1 },
    ],
  });
  t.match(violations, [/attempt a of another node/]);
  t.equal(all.find(inFlight.get("a")!), undefined);
});

t.test("what has ended is forgotten", async (t) => {
  const all = progress();
  const attempt = { id: "c", node: "rig", chunk } as Attempt;
  inFlight.set("c", attempt);
  all.receive(createWorker("rig").worker, { ev: "progress", attempts: [{ id: "c", share: 1 }] });
  inFlight.delete("c");
  all.prune();
  t.equal(all.find(attempt), undefined);
});

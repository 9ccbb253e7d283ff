import t from "tap";
import { ChunkEvents } from "../../../executor/run/chunkevents.js";
import type { NodeWorker } from "../../../executor/run/node/nodeworker.js";
import { ReportedValues } from "../../../executor/run/reportedvalues.js";
import type { Attempt } from "../../../executor/schedule/events.js";

const attempt = { id: "a" } as Attempt;

function createValues(tokens = 10) {
  const violations: string[] = [];
  let left = tokens;
  const rateLimiter = { tryAcquire: () => left-- > 0 };
  const worker = { rateLimiter, refuseForViolation: (reason: string) => violations.push(reason) };
  const events = new ChunkEvents();
  let told = 0;
  events.on("valued", () => told++);
  const inFlight = new Set(["a"]);
  const values = new ReportedValues((id) => inFlight.has(id), events);
  const receive = (from: number, steps: number[]) =>
    values.receive(worker as unknown as NodeWorker, attempt, { from, values: steps.map((step) => [step, 1]) });
  return {
    values,
    inFlight,
    receive,
    violations,
    toldCount: () => told,
    steps: () => values.find("a").map(([step]) => step),
  };
}

t.test("what an agent repeats after a reconnect is kept once", async (t) => {
  const { receive, steps, violations, toldCount } = createValues();
  receive(0, [0, 1]);
  receive(0, [0, 1]);
  receive(0, [0, 1, 2]);
  receive(2, [2, 3]);
  t.same(steps(), [0, 1, 2, 3]);
  t.equal(toldCount(), 3);
  t.same(violations, []);
});

const VIOLATIONS: [what: string, messages: [from: number, steps: number[]][]][] = [
  ["values are left out", [[1, [1]]]],
  ["there are more than an agent sends", [[0, Array.from({ length: 10_001 }, (_, step) => step)]]],
];

for (const [what, messages] of VIOLATIONS)
  t.test(what, async (t) => {
    const { receive, violations } = createValues();
    for (const [from, steps] of messages) receive(from, steps);
    t.match(violations, [/out of order/]);
  });

t.test("a node that repeats values without end is refused; what has ended is forgotten", async (t) => {
  const { receive, violations, values, inFlight } = createValues(2);
  for (let count = 0; count < 4; count++) receive(0, [0]);
  t.match(violations, [/too many messages/]);
  values.prune();
  t.equal(values.find("a").length, 1);
  inFlight.delete("a");
  values.prune();
  t.same(values.find("a"), []);
});

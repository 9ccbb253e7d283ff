import t from "tap";
import type { Attempt } from "../../../../executor/schedule/events.js";
import { UnitCosts } from "../../../../executor/schedule/rates/costmodel.js";
import { Rates } from "../../../../executor/schedule/rates/rates.js";
import { Pool } from "../../../../executor/schedule/slots/pool.js";
import { type AttemptHistory, QuarantineTracker } from "../../../../executor/schedule/slots/quarantine.js";
import { rangeJob, slots } from "../schedulefixture.js";

const chunk = rangeJob(10n).chunk(0n, 1n);

/** A tracker of nodes with two slots each, for chunks with three tries. */
function track(...nodes: string[]) {
  const rates = new Rates();
  const pool = new Pool(rates, new UnitCosts(rates));
  for (const node of nodes) pool.joinNode(node, slots(node, 2), 2);
  const tracker = new QuarantineTracker(pool, 3);
  const fail = (node: string, slot: number, history: AttemptHistory = [], now = 0) => {
    const attempt: Attempt = { id: "x", number: 1, chunk, node, slot };
    return tracker.recordFailure(attempt, history, "exit code 1", now).length > 0;
  };
  const succeed = (node: string, slot: number) => tracker.recordSuccess(pool.slot(node, slot)!);
  return { pool, tracker, fail, succeed };
}

t.test("trips after three failures of different chunks since a success elsewhere", async (t) => {
  const { fail, succeed } = track("a", "b");
  t.same([fail("a", 0), fail("a", 0), fail("a", 0)], [false, false, false], "nothing has succeeded elsewhere");
  succeed("b", 0);
  t.equal(fail("a", 0), true);
});

t.test("a success on the slot clears its failures", async (t) => {
  const { fail, succeed } = track("a", "b");
  for (let count = 0; count < 2; count++) fail("a", 0);
  t.same(succeed("a", 0), []);
  t.same([fail("a", 0), fail("a", 0)], [false, false]);
});

t.test("a chunk that fails again on the slot counts once", async (t) => {
  const { fail, succeed } = track("a", "b");
  const history: AttemptHistory = [];
  fail("a", 0, history);
  succeed("b", 0);
  t.same([fail("a", 0, history), fail("a", 0, history), fail("a", 0)], [false, false, false]);
});

for (const [what, nodes, other] of [
  ["two nodes", ["a", "b"], { node: "b", slot: 0 }],
  ["two slots of the only node", ["a"], { node: "a", slot: 1 }],
] as const)
  t.test(`a chunk that fails on ${what} is at fault and does not count`, async (t) => {
    const { fail, succeed } = track(...nodes);
    const poison: AttemptHistory = [];
    fail("a", 0, poison);
    succeed(other.node, other.slot);
    fail(other.node, other.slot, poison);
    t.same([fail("a", 0), fail("a", 0)], [false, false], "two other failures are too few");
    succeed(other.node, other.slot);
    t.equal(fail("a", 0), true);
    t.same(
      poison.map(({ forgiven }) => forgiven),
      [false, false],
    );
  });

t.test("forgives the failures of a slot that trips, and those on a quarantined slot", async (t) => {
  const { fail, succeed } = track("a", "b");
  const histories: AttemptHistory[] = [[], [], []];
  fail("a", 0, histories[0]);
  succeed("b", 0);
  for (const history of histories.slice(1)) fail("a", 0, history);
  const late: AttemptHistory = [];
  t.equal(fail("a", 0, late), false);
  t.ok([...histories, late].every(([record]) => record?.forgiven === true));
});

t.test("half-opens slots in the order in which their quarantines end, and closes them on success", async (t) => {
  const { pool, tracker, fail, succeed } = track("a", "b");
  t.equal(tracker.nextReleaseAt(), undefined);
  succeed("b", 1);
  for (const [node, now] of [
    ["b", 10],
    ["a", 0],
  ] as const) {
    fail(node, 0, [], now);
    succeed("b", 1);
    for (let count = 0; count < 2; count++) fail(node, 0, [], now);
  }
  t.equal(tracker.nextReleaseAt(), 60);
  tracker.releaseDue(59);
  t.equal(pool.health("a", 0).isHalfOpen, false);
  tracker.releaseDue(60);
  t.match(pool.health("a", 0), { isHalfOpen: true, quarantine: undefined });
  t.equal(pool.health("b", 0).isHalfOpen, false);
  t.equal(tracker.nextReleaseAt(), 70);
  t.same(succeed("a", 0), [{ do: "release", node: "a", slot: 0 }]);
  t.equal(pool.health("a", 0).isHalfOpen, false);
});

t.test("a chunk is exhausted after its tries, or after three times as many forgiven failures", async (t) => {
  const { tracker } = track("a");
  const of = (count: number, forgiven: boolean): AttemptHistory =>
    Array.from({ length: count }, () => ({ node: "a", slot: "a/0", forgiven }));
  t.same(
    [of(2, false), of(3, false)].map((history) => tracker.isExhausted(history)),
    [false, true],
  );
  t.same(
    [of(8, true), of(9, true)].map((history) => tracker.isExhausted(history)),
    [false, true],
  );
});

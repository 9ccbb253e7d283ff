import t from "tap";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Event, RemoteAttempt } from "../../../../executor/schedule/events.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import {
  describeAgentDeaths,
  isGivenUpAfterDeath,
  needsExclusiveNode,
} from "../../../../executor/schedule/slots/agentdeaths.js";
import type { AttemptHistory } from "../../../../executor/schedule/slots/quarantine.js";
import { rangeJob, singleUnits, slots, startedAttempts, taskJob } from "../schedulefixture.js";
import { SimulatedFleet } from "../simulatedfleet.js";

const failure = { node: "a", slot: "a/0", forgiven: false };
const forgiven = { ...failure, forgiven: true };
const loss = { ...failure, agentDied: true } as const;
const lossAlone = { ...loss, wasExclusive: true };

t.test("when a chunk needs an exclusive node, and when it is given up", (t) => {
  // History, tries in all; needs an exclusive node, given up after a shared node, given up after an exclusive node.
  const table: [AttemptHistory, number, boolean, boolean, boolean][] = [
    [[], 3, false, false, false],
    [[failure, failure], 3, false, false, false],
    [[loss], 3, false, false, false],
    [[loss, loss], 3, true, false, false],
    [[failure, loss], 3, true, false, false],
    [[forgiven, loss], 3, false, false, false],
    [[loss, loss, loss], 3, true, false, true],
    [[failure, failure, loss], 3, true, false, true],
    [[loss, loss, loss], 5, true, false, false],
    [[loss, loss], 5, true, false, false],
    [[failure, failure], 2, false, false, false],
    [[loss], 2, true, false, false],
    [[loss, loss], 2, true, true, true],
    [[loss], 1, true, true, true],
  ];
  for (const [history, attempts, alone, among, afterAlone] of table) {
    const what = `${history.map((one) => (one.agentDied ? "loss" : one.forgiven ? "forgiven" : "failure"))} of ${attempts}`;
    t.equal(needsExclusiveNode(history, attempts), alone, `${what}: alone`);
    t.equal(isGivenUpAfterDeath(history, attempts), among, `${what}: given up among others`);
    const last = history.map((one, index) => (one.agentDied && index === history.length - 1 ? lossAlone : one));
    t.equal(isGivenUpAfterDeath(last, attempts), afterAlone, `${what}: given up after it ran alone`);
  }
  t.equal(describeAgentDeaths([loss, { ...loss, node: "b" }]), "its node's agent died each time it ran (on a, b)");
  t.equal(describeAgentDeaths([failure, loss, forgiven]), "its node's agent died in 1 of 2 tries (on a)");
  t.end();
});

const job = (count: number, attempts = 3) =>
  taskJob(
    Array.from({ length: count }, () => ({})),
    { retry: { attempts, backoff: 1 } },
  );

/** Kills the agent of the node with the chunk until the chunk is given up. Returns the nodes that it ran on. */
function killer(fleet: SimulatedFleet, chunk: string): string[] {
  const ran: string[] = [];
  for (let turn = 0; fleet.all("give-up").length === 0 && turn < 100; turn++) {
    fleet.wait();
    const attempt = fleet.of(chunk);
    if (attempt !== undefined && fleet.firstOn(attempt.node).includes(attempt)) {
      ran.push(attempt.node);
      fleet.die(attempt.node);
    } else for (const one of fleet.attempts.slice(0, 1)) fleet.end(one);
  }
  return ran;
}

for (const [what, sizes] of [
  ["one node", { a: 3 }],
  ["one slot", { a: 1 }],
  ["two nodes", { a: 2, b: 2 }],
  ["three nodes", { a: 2, b: 3, c: 1 }],
] as const)
  t.test(
    `a chunk that always kills its agent uses all its tries on ${what}, and no other chunk is given up`,
    async (t) => {
      for (const attempts of [1, 2, 3, 5]) {
        const fleet = new SimulatedFleet(new Scheduler(job(40, attempts), sequentialIds()), sizes);
        const ran = killer(fleet, "t0");
        t.equal(ran.length, attempts, `${ran} of ${attempts}`);
        const [gaveUp, ...others] = fleet.all("give-up").map((one) => one.failure);
        t.match(gaveUp, { chunk: "t0", reason: `its node's agent died each time it ran (on ${ran.join(", ")})` });
        if (attempts > 1) t.same(others, [], "no bystander");
        if (attempts > 2 && Object.keys(sizes).length > 1) t.not(ran[0], ran[1], "elsewhere, where that is possible");
        for (let turn = 0; fleet.all("end").length === 0 && turn < 1000; turn++) {
          if (fleet.attempts[0] !== undefined) fleet.end(fleet.attempts[0]);
          else fleet.wait();
        }
        t.equal(fleet.all("end").length, 1, "the run ends");
      }
    },
  );

t.test("queued, cancelled and rebooted attempts do not count as agent deaths", async (t) => {
  const fleet = new SimulatedFleet(new Scheduler(job(12), sequentialIds()), { a: 2 });
  const ran = fleet.firstOn("a");
  fleet.die("a", ran.slice(0, 1));
  t.same(
    fleet.all("report-loss").map(({ failure }) => failure.chunk),
    [ran[0]!.chunk.id],
    "only the running attempt counts",
  );
  fleet.wait();
  for (let count = 0; count < 10; count++) {
    const running = fleet.firstOn("a");
    fleet.die("a", running, {});
    for (const { id } of running) fleet.send({ type: "requeued", attempt: id });
    fleet.wait();
  }
  t.equal(fleet.all("report-loss").length, 1, "reboots are not counted");
  t.same(fleet.all("give-up"), []);
});

t.test("an attempt that ran and is missing counts only if the agent died", async (t) => {
  for (const agentDied of [true, false]) {
    const fleet = new SimulatedFleet(new Scheduler(job(12), sequentialIds()), { a: 2 });
    const [runs, waits] = fleet.firstOn("a") as [Attempt, Attempt];
    fleet.start(runs);
    fleet.send({ type: "nodeDisconnected", node: "a" });
    fleet.join("a", [], agentDied);
    const lost = fleet.all("report-loss").map(({ failure }) => failure.chunk);
    t.same(lost, agentDied ? [runs.chunk.id] : [], `not ${waits.chunk.id}`);
  }
});

t.test("an agent death reported after the chunk has moved counts, once", async (t) => {
  const fleet = new SimulatedFleet(new Scheduler(job(4), sequentialIds()), { a: 1, b: 1 });
  const [first] = fleet.firstOn("a") as [Attempt];
  fleet.start(first);
  for (const node of ["a", "b"])
    for (const one of fleet.attempts.filter((one) => one.node === node && one !== first)) fleet.end(one);
  fleet.send({ type: "nodeDisconnected", node: "a" });
  fleet.send({ type: "nodeLost", node: "a" });
  fleet.wait();
  const second = fleet.attempts.find((one) => one.chunk.id === first.chunk.id && one.node === "b");
  t.ok(second, "it runs on b");
  const held = { id: first.id, chunk: first.chunk.id, slot: 0, state: "done" as const, agentDied: true };
  fleet.join("a", [held]);
  fleet.join("a", [held]);
  t.equal(fleet.all("report-loss").length, 1, "once, though it is told twice");
  fleet.die("b", [second!]);
  fleet.wait();
  t.equal(fleet.of(first.chunk.id)?.number, 3);
  fleet.die(fleet.of(first.chunk.id)!.node);
  t.match(fleet.all("give-up"), [{ failure: { reason: /each time it ran \(on a, b, [ab]\)/ } }]);
});

t.test("a result that is being collected when the agent dies is not lost", async (t) => {
  const fleet = new SimulatedFleet(new Scheduler(job(1), sequentialIds()), { a: 1 });
  const [only] = fleet.firstOn("a") as [Attempt];
  fleet.send({ type: "finished", attempt: only.id, seconds: 1 });
  fleet.die("a", [only]);
  fleet.wait();
  t.same(fleet.all("report-loss"), []);
  t.equal(fleet.all("start").length + fleet.attempts.length, 0, "it is not started again");
  fleet.send({ type: "committed", attempt: only.id });
  t.equal(fleet.all("end").length, 1);
});

t.test("an earlier coordinator's attempt whose agent died is retried, with one try used up", async (t) => {
  const scheduler = new Scheduler(job(1), sequentialIds());
  const held: RemoteAttempt = { id: "1-0", chunk: "t0", slot: 0, state: "done", agentDied: true };
  const out = scheduler.handle({ type: "nodeJoined", node: "a", slots: slots("a", 1), limit: 1, held: [held] }, 0);
  t.match(out, [{ do: "report-loss", failure: { chunk: "t0", attempt: 1 } }]);
  const again = ["dispatchOpened", "allJoined", "tick"].flatMap((type, now) =>
    scheduler.handle({ type } as Event, 10 * now),
  );
  t.equal(startedAttempts(again).find(({ chunk }) => chunk.id === "t0")?.number, 2);
});

/** Creates a fleet in which two agents have died with chunk t0, which waits for an exclusive node. */
function suspect(sizes: Record<string, number>): SimulatedFleet {
  const fleet = new SimulatedFleet(new Scheduler(job(60), sequentialIds()), sizes);
  for (let count = 0; count < 2; ) {
    fleet.wait();
    const attempt = fleet.of("t0");
    if (attempt !== undefined && fleet.firstOn(attempt.node).includes(attempt)) {
      fleet.die(attempt.node, [attempt]);
      count++;
    } else fleet.end(fleet.firstOn(attempt?.node ?? fleet.attempts[0]!.node)[0]!);
  }
  return fleet;
}

t.test("a chunk with two agent deaths waits for an empty node and has it to itself until it ends", async (t) => {
  const fleet = suspect({ a: 2, b: 2 });
  const before = new Set(fleet.attempts);
  for (const one of before) fleet.start(one);
  fleet.wait();
  t.equal(fleet.of("t0"), undefined, "nodes are busy");
  const kept = () =>
    ["a", "b"].filter((node) => [...before].every((one) => one.node !== node || !fleet.attempts.includes(one)));
  for (const one of before) {
    if (fleet.of("t0") !== undefined) break;
    fleet.end(one);
  }
  const { node } = fleet.of("t0")!;
  t.same(kept(), [node], "that node is empty first");
  t.same(
    fleet.attempts.filter((one) => one.node === node).map(({ chunk }) => chunk.id),
    ["t0"],
    "no other chunk came after it",
  );
  fleet.start(fleet.of("t0")!);
  for (let count = 0; count < 8; count++) fleet.end(fleet.attempts.find((one) => one.node !== node)!);
  t.same(
    fleet.attempts.filter((one) => one.node === node).map(({ chunk }) => chunk.id),
    ["t0"],
    "and no other chunk runs beside it",
  );
  fleet.end(fleet.of("t0")!);
  t.equal(fleet.firstOn(node).length, 2, "then other chunks use the node again");
  t.same(fleet.all("give-up"), []);
});

t.test("a chunk leaves a reserved node that disconnects, and stays on a node that rejoins with it", async (t) => {
  const fleet = suspect({ a: 1, b: 1, c: 1 });
  for (const one of [...fleet.attempts]) fleet.start(one);
  fleet.wait();
  const reserved = fleet.attempts.find(({ node }) => !["a", "b"].includes(node))!;
  t.ok(reserved, "c, where it has not died, is drained");
  fleet.send({ type: "nodeDisconnected", node: "c" });
  for (let count = 0; fleet.of("t0") === undefined && count < 4; count++)
    fleet.end(fleet.attempts.find(({ node }) => node !== "c")!);
  const attempt = fleet.of("t0")!;
  t.not(attempt.node, "c");
  fleet.start(attempt);
  const held: RemoteAttempt = { id: attempt.id, chunk: "t0", slot: 0, state: "running" };
  for (const away of [false, true]) {
    fleet.send({ type: "nodeDisconnected", node: attempt.node });
    if (away) fleet.send({ type: "nodeLost", node: attempt.node });
    fleet.join(attempt.node, [held]);
    fleet.wait();
    t.same(
      fleet.attempts.filter(({ node }) => node === attempt.node).map(({ chunk }) => chunk.id),
      ["t0"],
      "alone",
    );
  }
  fleet.die(attempt.node, [attempt]);
  t.match(fleet.all("give-up"), [{ failure: { chunk: "t0" } }], "the third agent death is its own fault");
});

t.test("a chunk with an agent death is neither split nor copied", async (t) => {
  const scheduler = new Scheduler(
    rangeJob(40n, { sizing: { by: "rate", base: 20, min: 20, max: 20 } }),
    sequentialIds(),
  );
  const fleet = new SimulatedFleet(scheduler, { a: 1, b: 1 });
  const [bad, good] = [fleet.firstOn("a")[0]!, fleet.firstOn("b")[0]!];
  fleet.die("a", [bad]);
  fleet.wait();
  fleet.start(good);
  fleet.end(good);
  fleet.wait();
  const again = fleet.of(bad.chunk.id)!;
  fleet.start(again);
  for (let count = 0; count < 10; count++) fleet.wait();
  t.same([...fleet.all("split"), ...fleet.all("withdraw")], []);
  t.equal(fleet.attempts.length, 1, "though a slot is idle");
});

t.test("a failure after two agent deaths uses up the last try", async (t) => {
  const fleet = suspect({ a: 1 });
  fleet.wait();
  while (fleet.of("t0") === undefined) fleet.end(fleet.attempts[0]!);
  const attempt = fleet.of("t0")!;
  fleet.fail(attempt);
  t.match(fleet.all("give-up"), [{ failure: { chunk: "t0", reason: "exit code 1" } }]);
  t.same(fleet.all("quarantine"), [], "and no slot is quarantined");
});

t.test("property of many exclusive chunks: while other work waits, half of the nodes run it", async (t) => {
  const scheduler = new Scheduler(rangeJob(400n, singleUnits), sequentialIds());
  const fleet = new SimulatedFleet(scheduler, { a: 2, b: 2, c: 2, d: 2 });
  for (let count = 0; count < 2; count++) {
    for (const node of ["a", "b", "c", "d"]) fleet.die(node);
    fleet.wait();
  }
  let fewest = Number.POSITIVE_INFINITY;
  for (let turn = 0; fleet.all("end").length === 0 && turn < 2000; turn++) {
    const shared = ["a", "b", "c", "d"].filter((node) => fleet.attempts.filter((one) => one.node === node).length > 1);
    if (turn > 10 && turn < 150) fewest = Math.min(fewest, shared.length);
    const next = fleet.attempts[turn % (fleet.attempts.length || 1)];
    if (next === undefined) fleet.wait();
    else fleet.end(next);
  }
  t.equal(fleet.all("end").length, 1);
  t.same(fleet.all("give-up"), []);
  t.ok(fewest >= 1, `${fewest} nodes at least`);
});

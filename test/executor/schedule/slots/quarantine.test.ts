import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Instruction } from "../../../../executor/schedule/events.js";
import { Simulator } from "../../../../executor/schedule/plan/simulator.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { failureOf, openRun, rangeJob, singleUnits, slots, startedAttempts } from "../schedulefixture.js";

/** If one slot and no chunk is bad, the slot is quarantined after at most this many failures. */
const MAX_FAILURES = 4;

type Nodes = [node: string, count: number][];

/** Runs all attempts, a second each; `isBad` decides which ones fail. Returns the instructions. Stops after `limit` attempts. */
function runAll(
  scheduler: Scheduler,
  nodes: Nodes,
  isBad: (attempt: Attempt) => boolean,
  limit = 10_000,
): Instruction[] {
  const instructions: Instruction[] = [];
  let ended = 0;
  const simulator = new Simulator(scheduler, {
    endOf: (_, now) => now + 1,
    failureOf(attempt) {
      ended++;
      return isBad(attempt) ? failureOf(attempt) : undefined;
    },
    onInstruction: (instruction) => instructions.push(instruction),
  });
  simulator.open(nodes.map(([node, count]) => ({ node, slots: slots(node, count), limit: count })));
  simulator.run(() => ended === limit);
  return instructions;
}

const of = <D extends Instruction["do"]>(instructions: Instruction[], what: D) =>
  instructions.filter((one): one is Extract<Instruction, { do: D }> => one.do === what);
const isOn = (node: string, slot: number) => (attempt: Attempt) => attempt.node === node && attempt.slot === slot;

t.test(
  "quarantines a slot on which different chunks fail while others succeed, and forgives the failures",
  async (t) => {
    const scheduler = new Scheduler(rangeJob(300n, singleUnits), sequentialIds());
    const nodes: Nodes = [
      ["a", 2],
      ["b", 2],
    ];
    const said = runAll(scheduler, nodes, isOn("a", 1));
    const [out] = of(said, "quarantine");
    t.match(out, { node: "a", slot: 1, seconds: 60, reason: /^3 chunks in a row failed here while others succeed/ });
    t.same(of(said, "give-up"), []);
    t.equal(of(said, "end").length, 1);
  },
);

t.test("tests a quarantined slot with one chunk, later each time, and releases it on success", async (t) => {
  const scheduler = new Scheduler(rangeJob(20_000n, singleUnits), sequentialIds());
  const sick = isOn("a", 1);
  let probes = 0;
  const said = runAll(scheduler, [["a", 3]], (attempt) => sick(attempt) && ++probes <= 6, 30_000);
  t.same(
    of(said, "quarantine").map((one) => one.seconds),
    [60, 120, 240, 480],
  );
  t.equal(of(said, "release").length, 1);
  t.same(of(said, "give-up"), []);
});

t.test(
  "a chunk that fails on two nodes is at fault: it is given up after its tries, and no slot is quarantined",
  async (t) => {
    const scheduler = new Scheduler(rangeJob(50n, singleUnits), sequentialIds());
    const poison = new Set(["3-4", "20-21", "41-42"]);
    const nodes: Nodes = [
      ["a", 2],
      ["b", 2],
    ];
    const said = runAll(scheduler, nodes, (attempt) => poison.has(attempt.chunk.id));
    t.same(new Set(of(said, "give-up").map((one) => one.failure.chunk)), poison);
    t.same(of(said, "quarantine"), []);
    const tried = of(said, "start").map((one) => one.attempt);
    for (const chunk of poison) {
      const [one, two] = tried.filter((attempt) => attempt.chunk.id === chunk);
      t.not(one?.node, two?.node, `chunk ${chunk} is tried on the other node next`);
    }
  },
);

t.test("withdraws what is queued on a quarantined slot, and starts it elsewhere", async (t) => {
  const scheduler = new Scheduler(rangeJob(200n, singleUnits), sequentialIds());
  const running: Attempt[] = openRun(scheduler, [["a", 2]]);
  const said: Instruction[] = [];
  const hear = (out: Instruction[]) => {
    said.push(...out);
    running.push(...startedAttempts(out));
  };
  for (let turn = 0; of(said, "quarantine").length === 0 && turn < 40; turn++) {
    const attempt = running.splice(
      running.findIndex((one) => one.slot === turn % 2),
      1,
    )[0]!;
    hear(scheduler.handle({ type: "started", attempt: attempt.id }, turn));
    if (attempt.slot === 0) {
      hear(scheduler.handle({ type: "finished", attempt: attempt.id, seconds: 0.1 }, turn));
      hear(scheduler.handle({ type: "committed", attempt: attempt.id }, turn));
    } else hear(scheduler.handle({ type: "failed", attempt: attempt.id, failure: failureOf(attempt) }, turn));
  }
  const ids = of(said, "withdraw").flatMap((one) => one.ids);
  t.same(
    ids.sort(),
    running
      .filter((one) => one.slot === 1)
      .map((one) => one.id)
      .sort(),
  );
  t.ok(ids.length > 0);
  const moved = ids.map((id) => scheduler.attempt(id)!.chunk.id);
  for (const id of ids) hear(scheduler.handle({ type: "requeued", attempt: id }, 50));
  for (let turn = 0; turn < 30; turn++) {
    const attempt = running.splice(
      running.findIndex((one) => one.slot === 0),
      1,
    )[0]!;
    hear(scheduler.handle({ type: "finished", attempt: attempt.id, seconds: 0.1 }, 51));
    hear(scheduler.handle({ type: "committed", attempt: attempt.id }, 51));
  }
  const elsewhere = of(said, "start")
    .filter((one) => one.attempt.slot === 0)
    .map((one) => one.attempt.chunk.id);
  t.ok(moved.every((chunk) => elsewhere.includes(chunk)));
});

t.test(
  "property: with some bad slots and some bad chunks, only bad chunks are given up, and bad slots are quarantined",
  async (t) => {
    const scenario = fc.record({
      nodes: fc.integer({ min: 1, max: 3 }),
      perNode: fc.integer({ min: 2, max: 3 }),
      badSlots: fc.uniqueArray(fc.integer({ min: 0, max: 8 }), { maxLength: 2 }),
      badChunks: fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { maxLength: 4 }),
    });
    let quarantined = 0;
    fc.assert(
      fc.property(scenario, ({ nodes, perNode, badSlots, badChunks }) => {
        const all = nodes * perNode;
        const sick = badSlots.filter((slot) => slot < all);
        if (sick.length >= all - 1) return;
        const numberOf = ({ node, slot }: { node: string; slot: number }) => Number(node.slice(1)) * perNode + slot;
        const scheduler = new Scheduler(rangeJob(60n, singleUnits), sequentialIds());
        const results: string[] = [];
        const failures = new Map<number, number>();
        const said = runAll(
          scheduler,
          Array.from({ length: nodes }, (_, n) => [`n${n}`, perNode]),
          (attempt) => {
            const isBadSlot = sick.includes(numberOf(attempt));
            const isBad = isBadSlot || badChunks.includes(Number(attempt.chunk.start));
            if (!isBad) results.push(attempt.chunk.id);
            if (isBadSlot) failures.set(numberOf(attempt), (failures.get(numberOf(attempt)) ?? 0) + 1);
            return isBad;
          },
        );
        const ids = (units: number[]) => units.map((unit) => `${unit}-${unit + 1}`).sort();
        const givenUp = of(said, "give-up").map((one) => one.failure.chunk);
        assert.equal(of(said, "end").length, 1, "the run ends");
        assert.deepEqual(givenUp.sort(), ids(badChunks), "exactly the bad chunks are given up");
        const good = Array.from({ length: 60 }, (_, unit) => unit).filter((unit) => !badChunks.includes(unit));
        assert.deepEqual(results.sort(), ids(good), "every other chunk is computed once");
        const tripped = of(said, "quarantine").map(numberOf);
        const [count = 0] = failures.values();
        if (sick.length === 1 && badChunks.length === 0)
          assert.ok(count <= MAX_FAILURES || tripped.includes(sick[0]!), `${count} failures`);
        quarantined += tripped.filter((slot) => sick.includes(slot)).length;
      }),
      { numRuns: 200 },
    );
    t.ok(quarantined > 40, `${quarantined} bad slots were quarantined`);
  },
);

t.test(
  "a node whose disk is full is quarantined with all of its slots, and its failures use up no tries",
  async (t) => {
    const scheduler = new Scheduler(rangeJob(40n, singleUnits), sequentialIds());
    const said: Instruction[] = [];
    let isFull = true;
    const simulator = new Simulator(scheduler, {
      endOf: (_, now) => now + 1,
      failureOf(attempt) {
        if (attempt.node !== "a" || !isFull) return undefined;
        return { ...failureOf(attempt), fullDisk: "the disk is full" };
      },
      onInstruction: (instruction) => said.push(instruction),
    });
    simulator.open([{ node: "a", slots: slots("a", 4), limit: 4 }]);
    simulator.run(() => {
      isFull = of(said, "quarantine").length < 8;
      return false;
    });
    const rests = of(said, "quarantine");
    t.same(
      rests.map(({ slot, seconds, reason }) => [slot, seconds, reason]),
      [60, 120].flatMap((seconds) => [0, 1, 2, 3].map((slot) => [slot, seconds, "the disk is full"])),
    );
    t.equal(of(said, "give-up").length, 0);
    t.equal(of(said, "release").length, 4);
    t.equal(of(said, "end").length, 1);
  },
);

t.test("where nobody makes room, the failures count in the end", async (t) => {
  const scheduler = new Scheduler(rangeJob(2n, singleUnits), sequentialIds());
  const said: Instruction[] = [];
  const simulator = new Simulator(scheduler, {
    endOf: (_, now) => now + 1,
    failureOf: (attempt) => ({ ...failureOf(attempt), fullDisk: "the disk is full" }),
    onInstruction: (instruction) => said.push(instruction),
  });
  simulator.open([{ node: "a", slots: slots("a", 1), limit: 1 }]);
  simulator.run(() => false);
  t.equal(of(said, "quarantine").length, 5);
  t.equal(of(said, "give-up").length + of(said, "halt").length, 2);
});

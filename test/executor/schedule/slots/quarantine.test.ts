import fc from "fast-check";
import t from "tap";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Instruction } from "../../../../executor/schedule/events.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { failureOf, openRun, rangeJob, singleUnits, startedAttempts } from "../schedulefixture.js";

type AttemptVerdict = "ran" | "failed";

/** Runs all attempts; `verdict` decides how each one ends. Returns the instructions. Stops after `limit` attempts. */
function play(
  scheduler: Scheduler,
  first: Attempt[],
  verdict: (attempt: Attempt) => AttemptVerdict,
  limit = 10_000,
): Instruction[] {
  const queue = [...first];
  const said: Instruction[] = [];
  let now = 0;
  let wake: number | undefined;
  const hear = (out: Instruction[]) => {
    said.push(...out);
    queue.push(...startedAttempts(out));
    for (const one of out) {
      if (one.do === "wake") wake = one.at;
      if (one.do !== "withdraw") continue;
      for (const id of one.ids) {
        queue.splice(
          queue.findIndex((attempt) => attempt.id === id),
          1,
        );
        hear(scheduler.handle({ type: "requeued", attempt: id }, now));
      }
    }
  };
  for (let count = 0; count < limit && !said.some((one) => one.do === "end"); count++) {
    const attempt = queue.shift();
    if (attempt === undefined) {
      if (wake === undefined) throw new Error("nothing is under way and nothing is to come");
      now = wake;
      wake = undefined;
      hear(scheduler.handle({ type: "tick" }, now));
      continue;
    }
    now += 0.1;
    hear(scheduler.handle({ type: "started", attempt: attempt.id }, now));
    if (verdict(attempt) === "ran") {
      hear(scheduler.handle({ type: "finished", attempt: attempt.id, seconds: 1 }, now));
      hear(scheduler.handle({ type: "committed", attempt: attempt.id }, now));
    } else hear(scheduler.handle({ type: "failed", attempt: attempt.id, failure: failureOf(attempt) }, now));
  }
  return said;
}

const of = <D extends Instruction["do"]>(said: Instruction[], what: D) =>
  said.filter((one): one is Extract<Instruction, { do: D }> => one.do === what);
const isOn = (node: string, slot: number) => (attempt: Attempt) => attempt.node === node && attempt.slot === slot;

t.test(
  "quarantines a slot on which different chunks fail while others succeed, and forgives the failures",
  async (t) => {
    const scheduler = new Scheduler(rangeJob(300n, singleUnits), [], sequentialIds());
    const sick = isOn("a", 1);
    const first = openRun(scheduler, [
      ["a", 2],
      ["b", 2],
    ]);
    const said = play(scheduler, first, (attempt) => (sick(attempt) ? "failed" : "ran"));
    const [out] = of(said, "quarantine");
    t.match(out, { node: "a", slot: 1, seconds: 60, reason: /^3 chunks in a row failed here while others succeed/ });
    t.same(of(said, "give-up"), []);
    t.equal(of(said, "end").length, 1);
  },
);

t.test("tests a quarantined slot with one chunk, later each time, and releases it on success", async (t) => {
  const scheduler = new Scheduler(rangeJob(20_000n, singleUnits), [], sequentialIds());
  const sick = isOn("a", 1);
  let probes = 0;
  const first = openRun(scheduler, [["a", 3]]);
  const said = play(
    scheduler,
    first,
    (attempt) => {
      if (!sick(attempt)) return "ran";
      probes++;
      return probes > 6 ? "ran" : "failed";
    },
    30_000,
  );
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
    const scheduler = new Scheduler(rangeJob(50n, singleUnits), [], sequentialIds());
    const poison = new Set(["3-4", "20-21", "41-42"]);
    const first = openRun(scheduler, [
      ["a", 2],
      ["b", 2],
    ]);
    const said = play(scheduler, first, (attempt) => (poison.has(attempt.chunk.id) ? "failed" : "ran"));
    t.same(new Set(of(said, "give-up").map((one) => one.failure.chunk)), poison);
    const tried = [...first, ...of(said, "start").map((one) => one.attempt)];
    for (const chunk of poison) {
      const [one, two] = tried.filter((attempt) => attempt.chunk.id === chunk);
      t.not(one?.node, two?.node, `chunk ${chunk} is tried on the other node next`);
    }
  },
);

t.test("withdraws what is queued on a quarantined slot, and starts it elsewhere", async (t) => {
  const scheduler = new Scheduler(rangeJob(200n, singleUnits), [], sequentialIds());
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
  "property: with some slots ill and some chunks bad, every chunk is done or given up once, and only bad ones are",
  async (t) => {
    const scenario = fc.record({
      nodes: fc.integer({ min: 1, max: 3 }),
      perNode: fc.integer({ min: 2, max: 3 }),
      sick: fc.uniqueArray(fc.integer({ min: 0, max: 8 }), { maxLength: 2 }),
      bad: fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(scenario, ({ nodes, perNode, sick, bad }) => {
        const all = nodes * perNode;
        const ill = sick.filter((slot) => slot < all);
        if (ill.length >= all - 1) return true;
        const scheduler = new Scheduler(rangeJob(60n, singleUnits), [], sequentialIds());
        const first = openRun(
          scheduler,
          Array.from({ length: nodes }, (_, n) => [`n${n}`, perNode]),
        );
        const isIll = ({ node, slot }: { node: string; slot: number }) =>
          ill.includes(Number(node.slice(1)) * perNode + slot);
        const done = new Map<string, number>();
        const said = play(scheduler, first, (attempt) => {
          if (isIll(attempt) || bad.includes(Number(attempt.chunk.start))) return "failed";
          done.set(attempt.chunk.id, (done.get(attempt.chunk.id) ?? 0) + 1);
          return "ran";
        });
        const lost = of(said, "give-up").map((one) => one.failure.chunk);
        const badIds = bad.map((n) => `${n}-${n + 1}`);
        // A healthy slot may be quarantined for a while if poison chunks come in a row, never for long.
        return (
          of(said, "end").length === 1 &&
          [...done.values()].every((times) => times === 1) &&
          done.size + lost.length === 60 &&
          badIds.every((id) => lost.includes(id))
        );
      }),
      { numRuns: 100 },
    );
    t.pass("100 runs");
  },
);

import t from "tap";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import type { Event } from "../../../../executor/schedule/events.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { rangeJob, slots, startedAttempts } from "../schedulefixture.js";

const UNITS = 54_000n;

/** A run of 54,000 units on nodes of four slots with these rates; they are expected, and none has joined. */
function openExpected(rates: Record<string, number>, limit?: number) {
  const expected = new Map(Object.entries(rates).map(([name, rate]) => [name, { slots: slots(name, 4, rate), limit }]));
  const learned = new Map(
    [...expected.values()]
      .flatMap((node) => node.slots)
      .map(({ node, slot, rate }) => [`${node}/${slot}`, { rate: rate!, evidence: 1000 }]),
  );
  const job = rangeJob(UNITS, { sizing: { by: "time", min: 1 } });
  const scheduler = new Scheduler(job, sequentialIds(), { expected, learned: { overhead: 0.3, slots: learned } });
  const send = (event: Event, now = 0) =>
    startedAttempts(scheduler.handle(event, now)).map(({ chunk }) => Number(chunk.end - chunk.start));
  send({ type: "dispatchOpened" });
  const join = (node: string, count = 4) =>
    send({ type: "nodeJoined", node, slots: slots(node, count, rates[node]), limit: limit ?? 4, held: [] });
  return { send, join };
}

t.test("the first chunks of the first node leave the expected nodes their share of the work", async (t) => {
  const { join } = openExpected({ slow: 100, a: 600, b: 600, c: 600 });
  const fairShare = 54_000 / 76;
  const sizes = join("slow");
  t.equal(sizes.length, 4);
  t.ok(Math.max(...sizes) <= fairShare, `${sizes} of at most ${fairShare}`);
  t.ok(Math.max(...join("a")) <= 6 * fairShare);
});

t.test("a node that turns out to be away no longer counts", async (t) => {
  const { send, join } = openExpected({ slow: 100, a: 600, b: 600, c: 600 });
  for (const node of ["a", "b", "c"]) send({ type: "nodeLost", node });
  t.ok(Math.min(...join("slow")) > 54_000 / 76, "nobody else is there");
});

t.test("once every node has joined or failed to, none is expected any more", async (t) => {
  const { send, join } = openExpected({ slow: 100, a: 600 });
  send({ type: "allJoined" });
  t.ok(Math.min(...join("slow")) > 54_000 / 28);
});

t.test("a node that disconnects counts until it is lost", async (t) => {
  const [back, gone] = [false, true].map((isLost) => {
    const { send, join } = openExpected({ slow: 100, a: 600 });
    join("a");
    send({ type: "nodeDisconnected", node: "a" });
    if (isLost) send({ type: "nodeLost", node: "a" });
    return join("slow", 1)[0]!;
  });
  t.ok(back! < gone! / 3, `${back} units while it may come back, ${gone} afterwards`);
});

t.test("a limit of concurrent chunks bounds what a node is expected to do", async (t) => {
  const [all, one] = [4, 1].map((limit) => openExpected({ slow: 100, a: 600 }, limit).join("slow", 1)[0]!);
  t.ok(one! > 1.5 * all!, `${one} units where one slot of each node works, ${all} where all do`);
});

import t from "tap";
import type { Job } from "../../../../executor/job/job.js";
import { addOverhead, addStartup } from "../../../../executor/schedule/plan/planstartup.js";

const slots = new Map<string, { rate: number; evidence: number }>();
const node = (name: string, rate: number | undefined) => ({
  node: name,
  slots: 2,
  rate,
  seconds: 10,
  perSlot: [{ rate, seconds: 9, units: "1000" }],
});

t.test("a plan without any measured start-up is the work alone", async (t) => {
  const plan = { seconds: 10, nodes: [node("a", 100)] };
  t.equal(addStartup(plan, { slots }), plan);
  t.equal(addStartup(plan, { slots, startup: new Map([["elsewhere", 5]]) }), plan, "nobody else's start-up counts");
  const unknown = { nodes: [node("a", 100)] };
  t.equal(addStartup(unknown, { slots, startup: new Map([["a", 5]]) }), unknown, "no rate, no time");
});

t.test("start-up delays a plan by what it costs of the rate of all nodes", async (t) => {
  const startup = new Map([
    ["fast", 2],
    ["slow", 6],
  ]);
  const plan = addStartup({ seconds: 10, nodes: [node("fast", 300), node("slow", 100)] }, { slots, startup });
  t.match(plan, { startupSeconds: 3, seconds: 13, nodes: [{ seconds: 13, perSlot: [{ seconds: 12 }] }, {}] });
  const unrated = addStartup({ seconds: 10, nodes: [node("fast", undefined), node("slow", 0)] }, { slots, startup });
  t.match(unrated, { startupSeconds: 4 }, "without rates, slots count");
});

t.test("a node without a measurement counts as the mean of the others, one without work not at all", async (t) => {
  const nodes = [node("a", 100), node("new", 100), { ...node("b", 100), refused: "no GPU" }];
  const startup = new Map([
    ["a", 2],
    ["b", 60],
  ]);
  t.match(addStartup({ seconds: 10, nodes }, { slots, startup }), { startupSeconds: 2, seconds: 12 });
});

t.test("overhead of more than a tenth of the work is part of the plan", async (t) => {
  const job = { sizing: { by: "rate", base: 100, min: 1, max: 100 } } as unknown as Job;
  const plan = { chunks: 10, seconds: 50, nodes: [{ ...node("a", 50), units: "1000" }] };
  const measured = { overheadSeconds: 3, workSeconds: 4, units: 200 };
  const overhead = { overheadSeconds: 3, workSeconds: 2 };
  t.match(addOverhead(plan, job, { slots, chunkOverhead: measured }), { overhead }, "chunks are half as large now");
  const cheap = { ...measured, overheadSeconds: 0.15 };
  t.equal(addOverhead(plan, job, { slots, chunkOverhead: cheap }), plan, "less than a tenth");
  t.equal(addOverhead(plan, job, { slots }), plan, "unknown");
  const empty = { ...plan, chunks: 0 };
  t.equal(addOverhead(empty, job, { slots, chunkOverhead: measured }), empty, "nothing to do");
});

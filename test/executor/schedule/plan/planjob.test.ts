import { cpus } from "node:os";
import t from "tap";
import { planJob } from "../../../../executor/schedule/plan/planjob.js";
import type { LearnedRates } from "../../../../executor/schedule/rates/rates.js";
import { createDefaultNode } from "../../../../fleet/mergenode.js";
import type { Node } from "../../../../fleet/node.js";
import { formatPlan } from "../../../../report/plantext.js";
import { rangeJob, taskJob } from "../schedulefixture.js";

function rig(name: string, gpus: number, rate?: number): Node {
  const node = createDefaultNode(name);
  return { ...node, connection: "ssh", gpus, profile: { ...node.profile, name: "p", vendor: "amd", rate } };
}
const all = () => true;
const byTime = rangeJob(100_000_000n, { sizing: { by: "time", min: 1 } });

t.test("a plan has chunks, units and seconds by slot, by node and in total", async (t) => {
  const learned: LearnedRates = { overhead: 3, slots: new Map() };
  const plan = planJob(byTime, [rig("fast", 2, 29_000), rig("slow", 3, 5_000)], all, learned);
  const bound = 1e8 / (2 * 29_000 + 3 * 5_000);
  t.ok(plan.seconds! >= bound && plan.seconds! < 1.05 * bound, `${plan.seconds} s, ${bound} s without any overhead`);
  t.equal(
    plan.nodes.reduce((sum, node) => sum + BigInt(node.units!), 0n),
    100_000_000n,
  );
  for (const node of plan.nodes) {
    t.equal(
      node.perSlot.reduce((sum, slot) => sum + slot.chunks!, 0),
      node.chunks,
    );
    t.equal(Math.max(...node.perSlot.map((slot) => slot.seconds!)), node.seconds);
  }
  const [fast, slow] = plan.nodes.map((node) => Number(node.perSlot[0]!.units));
  t.ok(Math.abs(fast! / slow! - 5.8) < 0.6, `${fast} and ${slow} units`);
});

t.test("the loading of warm workers counts once for each worker", async (t) => {
  const seconds = (keys: object, loading?: number) => {
    const job = { ...rangeJob(1000n, { sizing: { by: "time", min: 100, max: 100 } }), ...keys };
    const learned: LearnedRates = { overhead: 1, slots: new Map([["rig/0", { rate: 100, evidence: 1000 }]]), loading };
    return planJob(job, [rig("rig", 1, 100)], all, learned).seconds!;
  };
  t.equal(seconds({ warm: {} }), 20, "ten chunks of two seconds");
  t.equal(seconds({ warm: {} }, 3), 23);
  t.equal(seconds({ warm: { chunks: 4 } }, 3), 29, "three workers");
  t.equal(seconds({}, 3), 20, "without warm workers the overhead has it");
});

t.test("the first chunks of a short job are no larger than a slot's share of it", async (t) => {
  const short = rangeJob(1000n, { sizing: { by: "time", min: 1 } });
  const [fast, slow] = planJob(short, [rig("fast", 2, 29_000), rig("slow", 8, 5_000)], all).nodes;
  t.equal(fast!.chunkUnits, "198", "two thirds of its share of 296 units");
  t.equal(slow!.chunkUnits, "34");
});

t.test("learned rates precede profile rates, and unknown values are undefined", async (t) => {
  const slots = new Map([["a/0", { rate: 100, evidence: 1e4 }]]);
  t.equal(planJob(byTime, [rig("a", 1, 5_000)], all, { slots }).nodes[0]!.rate, 100);
  const unknown = planJob(byTime, [rig("a", 1, 5_000), rig("b", 1)], all);
  t.match(unknown, { seconds: undefined, chunks: undefined });
  t.match(unknown.nodes, [{ rate: 5_000 }, { rate: undefined }]);
});

t.test("extrapolates beyond the simulated chunks", async (t) => {
  const plan = planJob(rangeJob(2n ** 64n), [rig("a", 4, 1000)], all);
  t.ok(Math.abs(plan.seconds! / (2 ** 64 / 4000) - 1) < 0.01, `${plan.seconds}`);
});

t.test("the time of tasks is known if they declare it or their script has run before", async (t) => {
  const nodes = [rig("fast", 1, 6_000), rig("slow", 2, 1_000)];
  const said = planJob(taskJob(Array.from({ length: 80 }, () => ({ expectedSeconds: 60 }))), nodes, all);
  t.ok(said.seconds! >= 600 && said.seconds! < 700, `${said.seconds} s of 80 minutes of a slow slot`);
  t.match(said.nodes, [{ slots: 1 }, { slots: 2 }]);
  const silent = taskJob(Array.from({ length: 80 }, () => ({})));
  t.match(planJob(silent, nodes, all), { chunks: undefined, seconds: undefined });
  const programs = new Map([["true", { seconds: 60, count: 9 }]]);
  t.equal(planJob(silent, nodes, all, { slots: new Map(), programs }).seconds, said.seconds);
});

t.test("lists slots without work and tasks without a slot, grouped by reason", async (t) => {
  const mixed = { ...rig("mixed", 2, 10), slots: 3 };
  const plan = planJob({ ...byTime, needs: { vendor: "amd", playbooks: [] } }, [mixed], all);
  const cpu = "needs.vendor is amd, and this is a CPU slot";
  t.match(plan.nodes, [{ slots: 2, refused: undefined, refusals: [{ slots: [2, 3, 4], reason: cpu }] }]);
  const other = planJob({ ...byTime, needs: { vendor: "nvidia", playbooks: [] } }, [rig("a", 8, 10)], all);
  const reason = "needs.vendor is nvidia, its profile p is amd";
  t.match(other.nodes, [{ slots: 0, refused: reason, refusals: [{ slots: [0, 1, 2, 3, 4, 5, 6, 7], reason }] }]);
  t.match(formatPlan(other), `\n  a: no work\n    slots 0-7: no work: ${reason}\n`);
  const pinned = planJob(taskJob([{}, { gpu: 9 }, { gpu: 1 }]), [rig("a", 2), rig("b", 1)], all);
  const not = "the chunk is pinned to gpu 9, and this is another one";
  t.same(pinned.unplaceable, [{ gpu: 9, chunks: ["t1"], reasons: [`a slots 0-1: ${not}`, `b slot 0: ${not}`] }]);
  t.match(formatPlan(pinned), `\n  task t1: pinned to GPU 9, which no slot has:\n    a slots 0-1: ${not}\n`);
});

t.test(
  "a plan refuses this machine where it has fewer cores than needed, and shows fewer chunks at once",
  async (t) => {
    const here = { ...createDefaultNode("here"), slots: 2 };
    const job = (cores: number) =>
      taskJob([{ expectedSeconds: 60 }, { expectedSeconds: 60 }], { needs: { cores, playbooks: [] } });
    const refused = planJob(job(60_000), [here, rig("far", 2)], all).nodes;
    t.match(refused, [{ refused: `needs.cores is 60000, it has ${cpus().length}` }, { refused: undefined, slots: 2 }]);
    const [one] = planJob(job(cpus().length), [here], all).nodes;
    t.match(one?.seconds, 120, "one after the other");
  },
);

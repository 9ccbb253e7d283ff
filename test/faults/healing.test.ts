import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import type { RunSummary } from "../../executor/run/record/runsummary.js";
import { runMuster } from "../cli/startmuster.js";
import type { LabNode } from "../lab/lab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, checkResults, readResultLines } from "./checks.js";
import { listHealSteps, shareHealingFleet } from "./healingfleet.js";
import { KnownJob } from "./knownjob.js";

t.setTimeout(600_000);
const { skip, nodes, shop, power, env, told, prepare } = await shareHealingFleet(t);

/** Freezes nodes in turn, each once, while fewer than two are frozen. */
async function freezeInTurn(victims: LabNode[], isOver: () => boolean): Promise<void> {
  const bootIds = new Map<LabNode, string>();
  for (const node of victims) {
    const frozen = () => [...bootIds].filter(([one, bootId]) => one.bootId === bootId).length;
    while (frozen() > 1 && !isOver()) await sleep(50);
    if (isOver()) return;
    bootIds.set(node, node.bootId);
    await node.cutOff();
    await sleep(500 + 1500 * Math.random());
  }
}

t.test("a fleet of six whose nodes freeze finishes a run without a hand", { skip }, async (t) => {
  const inventory = prepare();
  const job = new KnownJob(shop, "frozen", { chunks: 360, seconds: 0.5, job: { needs: { playbooks: ["ramdisk"] } } });
  t.match(await runMuster(["provision", "-i", inventory], { env }), { code: 0 });
  const metrics = join(shop.folder, "run.prom");
  const running = job.start(["-i", inventory, "--metrics", metrics], env);
  let isOver = false;
  void running.ended.then(() => {
    isOver = true;
  });
  await waitUntil("it runs", () => job.listRunning(nodes).length > 3);
  const victims = [...nodes].sort(() => Math.random() - 0.5).slice(0, 4);
  await freezeInTurn(victims, () => isOver);
  await waitUntil("all are healed, or it is over", () => isOver || power.cycles.length === victims.length);
  const { code, err } = await running.ended;
  t.equal(code, 0, err);
  checkResults(t, job);
  // The first two are frozen at once; on a slow machine the run may be over before the others are.
  t.ok(power.cycles.length >= 2, `power cycles: ${power.cycles.map(({ node }) => node)}`);
  const [healed] = power.cycles;
  t.match(listHealSteps(job, healed!.node).join(), "drained,power-cycled,answered,provisioned,healed");
  t.match(err, new RegExp(`^${healed!.node}: is healed after \\d+ s, and gets work again$`, "m"));
  const summary = shop.json<RunSummary>(`frozen/runs/frozen/summary.json`);
  t.match(
    summary.nodes.find(({ node }) => node === healed!.node),
    { healings: { healed: 1, failed: 0 } },
  );
  t.match(
    readFileSync(metrics, "utf8"),
    `muster_run_node_healings{run="frozen",node="${healed!.node}",outcome="healed"} 1\n`,
  );
  const report = await runMuster(["report", job.run, "-v"]);
  t.match(report.out, new RegExp(`${healed!.node}: is power-cycled; waiting for it to answer`));
  t.match(readFileSync(told, "utf8"), new RegExp(`"node":"${healed!.node}"[^\\n]*"step":"healed"`));
  for (const node of nodes) await node.heal();
  // Where nodes were cut off when the run ended, their agents do not know of that yet.
  t.match(await runMuster(["cancel", job.run, "-i", inventory]), { code: 0, out: /was complete/ });
  await checkNodes(t, nodes);
  // A healing that the end of the run has interrupted has left its drain, which ends with the next look.
  t.match(await runMuster(["provision", "--heal", "-i", inventory], { env }), { code: 0 });
  t.match(await runMuster(["drain", "-i", inventory]), { out: "no node is drained\n" });
});

t.test("a node that was away when the run began is healed, and joins it", { skip }, async (t) => {
  const inventory = prepare();
  const job = new KnownJob(shop, "late", { chunks: 300, seconds: 0.5, job: { needs: { playbooks: ["ramdisk"] } } });
  const [first] = nodes as [LabNode];
  await first.cutOff();
  const { code, err } = await job.muster(["-i", inventory, "--provision"], env);
  t.equal(code, 0, err);
  checkResults(t, job);
  t.same(power.cycles, [{ node: first.name, by: "switch" }]);
  t.ok(
    readResultLines(job).some(({ node }) => node === first.name),
    "it has computed chunks",
  );
  t.match(listHealSteps(job, first.name), ["drained", "power-cycled", "answered", "provisioned", "healed"]);
});

t.test(
  "half of the fleet vanishes at once: no power switch is touched, and the others do the work",
  { skip },
  async (t) => {
    const inventory = prepare();
    const job = new KnownJob(shop, "network", { chunks: 90, seconds: 0.5 });
    const running = job.start(["-i", inventory], env);
    await waitUntil("it runs", () => job.listRunning(nodes).length > 3);
    const half = nodes.slice(0, 3);
    await Promise.all(half.map((node) => node.cutOff()));
    const { code, err } = await running.ended;
    await Promise.all(half.map((node) => node.heal()));
    t.equal(code, 0, err);
    checkResults(t, job);
    t.same(power.cycles, []);
    t.equal((await job.muster(["-i", inventory], env)).code, 0, "the agents of the run that were left there end");
    t.match(err, /node1: it is not healed: 3 of 6 machines vanished within a minute: it may be our own network$/m);
  },
);

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { readRunHistory } from "../../executor/run/record/runhistory.js";
import { breakDownRun } from "../../report/breakdown.js";
import type { LabNode } from "../lab/lab.js";
import { DelayingProxy } from "../lab/proxy.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, checkResults, countRepeatedChunks, findAgentPid, readResultLines } from "./checks.js";
import { KnownJob, type KnownJobOptions, type RunningMuster } from "./knownjob.js";

const { skip, shop, lab, nodes } = await shareLab(
  t,
  { nodes: 20, gpus: 0, sshd: { Subsystem: "sftp /usr/lib/openssh/sftp-server" } },
  "cutting nodes off",
);

// It takes 40 s until a silent node is noticed, in which nothing happens: these tests wait side by side.
t.jobs = 12;
t.setTimeout(600_000);

/** A run of a job on two nodes of its own. */
class SilenceTest {
  readonly nodes: [LabNode, LabNode];
  readonly job: KnownJob;
  err = "";

  constructor(
    readonly t: Test,
    name: string,
    shape: KnownJobOptions,
  ) {
    this.nodes = [nodes.pop()!, nodes.pop()!];
    this.job = new KnownJob(shop, name, shape);
    t.teardown(() => {
      if (!t.passing()) t.comment(this.err, this.job.listExecutions(this.nodes));
    });
  }

  /** `slots` of the two nodes; the first of them is the one that trouble comes to. */
  start(
    slots: [number, number],
    node: Record<string, unknown> = {},
    first: Record<string, unknown> = {},
  ): RunningMuster {
    const [a, b] = this.nodes;
    const inventory = lab.inventory({
      file: `${this.job.name}.yaml`,
      node,
      nodes: { [a.name]: { slots: slots[0], ...first }, [b.name]: { slots: slots[1] } },
    });
    const launched = this.job.start(["-i", inventory, "--limit", `${a.name},${b.name}`]);
    launched.child.stderr?.on("data", (bytes) => {
      this.err += bytes;
    });
    return launched;
  }

  /** What the first node is said to be. */
  async says(state: string): Promise<void> {
    await waitUntil(`it is said that it is ${state}`, () => this.err.includes(`${this.nodes[0].name}: ${state}`));
  }

  /** The first node has come back. */
  async back(): Promise<void> {
    const { name } = this.nodes[0];
    await waitUntil(
      `${name} is back`,
      () => this.err.lastIndexOf(`${name}: 2 slots`) > this.err.lastIndexOf(`${name}: away`),
    );
  }

  running(node: LabNode): number {
    return this.job.listRunning([node]).length;
  }

  /** The same where slots that idle may have copied chunks of nodes that were silent: each once, and no others. */
  async endWithCopies(run: RunningMuster, silent: readonly LabNode[]): Promise<void> {
    await run.ended;
    const copied = countRepeatedChunks(this.job, this.nodes);
    const there = silent.flatMap((node) => this.job.listExecutions([node]).map((one) => one.chunk));
    for (const [chunk, times] of Object.entries(copied))
      this.t.ok(times === 2 && there.includes(chunk), `${chunk} was executed ${times} times`);
    await this.end(run, copied);
  }

  /** The end of the run, and what must be true then. */
  async end({ ended }: RunningMuster, again: Record<string, number> = {}): Promise<Record<string, unknown>> {
    const ran = await ended;
    this.t.equal(ran.code, 0, ran.err);
    checkResults(this.t, this.job);
    this.t.same(countRepeatedChunks(this.job, this.nodes), again, "executions beyond one each");
    await checkNodes(this.t, this.nodes);
    return shop.json(join(this.job.name, "runs", this.job.name, "summary.json"));
  }
}

for (const what of ["still run", "are done"] as const)
  t.test(
    `a node cut off past its grace, then back: its chunks went to others, and ${what} there`,
    { skip },
    async (t) => {
      const scene = new SilenceTest(t, `zombie-${what.split(" ")[1]}`, { chunks: 40, gate: true });
      const { job } = scene;
      const [gone, other] = scene.nodes;
      const run = scene.start([2, 12], { grace: "5s" });
      await waitUntil("both are at work", () => scene.running(gone) === 2 && scene.running(other) === 12);
      const left = job.listExecutions([gone]).map((one) => one.chunk);
      await gone.cutOff();
      const cut = performance.now();
      job.openGate([other]);
      await scene.says("silent");
      t.comment(`noticed after ${Math.round((performance.now() - cut) / 1000)} s`);
      job.closeGate([other]);
      await scene.says("away");
      const begun = () => job.listExecutions([other]).map((one) => one.chunk);
      await waitUntil("its chunks run elsewhere", () => left.every((chunk) => begun().includes(chunk)));
      if (what === "are done") {
        job.openGate([gone]);
        await waitUntil("all that it had is done there", () => !gone.processes().some(isWorker));
      }
      const twice = job.listExecutions([gone]).map((one) => [one.chunk, 2] as const);
      await gone.heal();
      await scene.back();
      await waitUntil("what was superseded there is stopped", () => !gone.processes().some(isWorker));
      job.openGate([gone, other]);
      const summary = await scene.end(run, Object.fromEntries(twice));
      t.ok((summary.session as { dropped: number }).dropped >= twice.length, "dropped and counted");
      const taken = readResultLines(job).filter((line) => line.node === gone.name && left.includes(line.chunk));
      t.same(taken, [], "no result of it was taken");
    },
  );

t.test(
  "a node returns after its grace period when no other slot was free for its chunks: they continue",
  { skip },
  async (t) => {
    const scene = new SilenceTest(t, "patient", { chunks: 40, gate: true });
    const { job } = scene;
    const [gone, other] = scene.nodes;
    const run = scene.start([2, 4], { silence: "4s", grace: "1s" });
    await waitUntil("both are at work", () => scene.running(gone) === 2 && scene.running(other) === 4);
    await gone.cutOff();
    const cut = performance.now();
    await scene.says("silent");
    t.ok(performance.now() - cut < 30_000, "noticed before it would be without `silence`");
    await scene.says("away");
    await gone.heal();
    await scene.back();
    job.openGate([gone, other]);
    const summary = await scene.end(run);
    t.match(summary, { session: { dropped: 0 } });
    const { happenings } = breakDownRun(await readRunHistory(job.run, Date.now()));
    t.match(
      happenings.filter(({ node }) => node === gone.name).map(({ what }) => what),
      [/^silent: /, /^away: /, "is back"],
      "a report says when it was lost",
    );
  },
);

t.test("the whole fleet is away for less than its grace period: the run continues by itself", { skip }, async (t) => {
  const scene = new SilenceTest(t, "fleet", { chunks: 40, gate: true });
  const { job } = scene;
  const run = scene.start([2, 2], { grace: "10m" });
  await waitUntil("both are at work", () => scene.nodes.every((node) => scene.running(node) === 2));
  for (const node of scene.nodes) await node.cutOff();
  job.openGate(scene.nodes);
  await scene.says("silent");
  for (const node of scene.nodes) await node.heal();
  await scene.endWithCopies(run, scene.nodes);
});

t.test(
  "an agent that hangs is detected by pings and reconnected, and nothing of the others is executed twice",
  { skip },
  async (t) => {
    const scene = new SilenceTest(t, "hang", { chunks: 40, gate: true });
    const { job } = scene;
    const run = scene.start([2, 2]);
    await waitUntil("both are at work", () => scene.nodes.every((node) => scene.running(node) === 2));
    const agent = findAgentPid(scene.nodes[0])!;
    process.kill(agent, "SIGSTOP");
    job.openGate(scene.nodes);
    await scene.says("silent: the agent has not answered for 30 s");
    process.kill(agent, "SIGCONT");
    await scene.endWithCopies(run, [scene.nodes[0]]);
  },
);

t.test("a file server that hangs once is reconnected, and nothing is executed twice", { skip }, async (t) => {
  const scene = new SilenceTest(t, "sftp", { chunks: 16, size: 3_000_000, seconds: 0.5 });
  const [node] = scene.nodes;
  const run = scene.start([2, 2]);
  const server = () => node.processes().find(({ argv }) => argv[0]!.includes("sftp-server"))?.pid;
  // The server runs from the first contact on.
  await waitUntil("both are at work", () => scene.running(node) === 2 && server() !== undefined);
  const stopped = server()!;
  process.kill(stopped, "SIGSTOP");
  await scene.says("silent");
  t.match(scene.err, /node\d+: .*: no answer within 30 s|no progress/);
  process.kill(stopped, "SIGCONT");
  await scene.end(run);
});

t.test("a file server that always hangs: the node's chunks are computed elsewhere", { skip }, async (t) => {
  const scene = new SilenceTest(t, "hangs", { chunks: 8, size: 100_000, gate: true });
  const { job } = scene;
  const [node] = scene.nodes;
  await node.restartSshd({ Subsystem: "sftp /bin/cat >/dev/null" });
  const run = scene.start([2, 6]);
  await waitUntil("both are at work", () => scene.running(node) === 2);
  job.openGate(scene.nodes);
  await scene.says("away");
  t.match(scene.err, /2 times in a row, its chunks go to others/);
  // Two, or more where the other node came later.
  const twice = job.listExecutions([node]).map((one) => [one.chunk, 2] as const);
  await scene.end(run, Object.fromEntries(twice));
});

t.test("a connection that silently stops carrying data", { skip }, async (t) => {
  const scene = new SilenceTest(t, "stall", { chunks: 40, gate: true });
  const { job } = scene;
  const [node] = scene.nodes;
  const proxy = await DelayingProxy.start(node, 0);
  t.teardown(() => proxy.stop());
  appendFileSync(lab.knownHosts, `[${proxy.host}]:${proxy.port} ${node.hostKey}\n`);
  const run = scene.start([2, 2], {}, { host: proxy.host, port: proxy.port });
  await waitUntil("both are at work", () => scene.nodes.every((node) => scene.running(node) === 2));
  proxy.stall();
  job.openGate(scene.nodes);
  await scene.says("silent");
  proxy.resume();
  await scene.endWithCopies(run, [node]);
});

t.test(
  "the only node is away for longer than its grace period: the run ends with that reason, and can be resumed",
  { skip },
  async (t) => {
    const scene = new SilenceTest(t, "only", { chunks: 6, gate: true });
    const { job } = scene;
    const [node] = scene.nodes;
    const words = ["-i", lab.inventory({ file: "only.yaml", node: { grace: "1s", slots: 2 } }), "--limit", node.name];
    const first = job.start(words);
    await waitUntil("it is at work", () => scene.running(node) === 2);
    await node.cutOff();
    const ran = await first.ended;
    t.equal(ran.code, 69, ran.err);
    t.match(ran.out, /no usable node is left; run the same command again to resume/);
    job.openGate([node]);
    await waitUntil("all that it had is done there", () => !node.processes().some(isWorker));
    await node.heal();
    await scene.end(job.start(words));
  },
);

t.test(
  "a node that is silent when the last chunk is done is waited for, so that nothing stays there",
  { skip },
  async (t) => {
    const scene = new SilenceTest(t, "last", { chunks: 6, gate: true });
    const { job } = scene;
    const [node, other] = scene.nodes;
    const proxy = await DelayingProxy.start(node, 0);
    t.teardown(() => proxy.stop());
    appendFileSync(lab.knownHosts, `[${proxy.host}]:${proxy.port} ${node.hostKey}\n`);
    const run = scene.start([2, 2], { grace: "10m" }, { host: proxy.host, port: proxy.port });
    await waitUntil("both are at work", () => scene.nodes.every((one) => scene.running(one) === 2));
    job.openGate([node]);
    let busy = performance.now();
    await waitUntil("it has nothing left to do", () => {
      if (node.processes().some(isWorker)) busy = performance.now();
      return performance.now() - busy > 5000;
    });
    proxy.stall();
    proxy.reset();
    await scene.says("silent");
    job.openGate([other]);
    await scene.says("it is silent; the run waits for it");
    proxy.resume();
    await scene.end(run);
  },
);

function isWorker({ argv }: { argv: string[] }): boolean {
  return argv.some((word) => word.endsWith("worker.py"));
}

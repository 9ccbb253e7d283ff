import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { startMuster } from "../cli/startmuster.js";
import type { LabNode } from "../lab/lab.js";
import { DelayingProxy } from "../lab/proxy.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, checkResults, committedChunks, countRepeatedChunks, readJournal } from "./checks.js";
import { KnownJob, type RunningMuster, watchMuster } from "./knownjob.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: 16, gpus: 0, user: "rig" }, "processes of nodes");

// Nodes rest between failures: these tests wait side by side, each on nodes of its own.
t.jobs = 4;
t.setTimeout(300_000);

const ATTEMPTS = 3;
const CHUNKS = 24;
/** The chunk that kills. Others run before it, beside it and after it. */
const KILLER = 5;

/** A job of which one chunk runs `kill`, and every execution is counted. */
class KillerJob {
  readonly run: string;
  private readonly file: string;

  constructor(
    readonly name: string,
    kill: string,
  ) {
    const script = `#!/bin/sh\necho $1 >>${this.log}\nif [ $1 = ${KILLER} ]; then ${kill}; fi\nsleep 0.2\necho $1 >r.txt\n`;
    shop.write(`${name}/script.sh`, script, 0o755);
    this.file = shop.write(`${name}/job.yaml`, {
      name,
      kind: "matrix",
      matrix: { n: [0, CHUNKS] },
      script: "script.sh",
      args: ["{n}"],
      outputs: ["r.txt"],
      retry: { attempts: ATTEMPTS, backoff: "100ms" },
    });
    this.run = join(shop.folder, name, "runs", name);
  }

  start(on: LabNode[], slots: number): RunningMuster {
    const inventory = lab.inventory({ file: `${this.name}.yaml`, node: { slots } });
    const limit = on.map(({ name }) => name).join();
    return watchMuster(startMuster(["run", this.file, "-i", inventory, "--limit", limit]));
  }

  /** How often a chunk was begun on these nodes. */
  executions(on: LabNode[], n: number): number {
    const files = on.map((node) => join(node.root, this.log)).filter((file) => existsSync(file));
    return files.flatMap((file) => readFileSync(file, "utf8").split("\n")).filter((line) => line === `${n}`).length;
  }

  private get log(): string {
    return `/var/tmp/executions-${this.name}`;
  }
}

/** How often a try of a chunk was lost, as the journal has it. */
function losses(run: string, chunk: string): number {
  return readJournal(run).filter((entry) => entry.e === "tried" && entry.chunk === chunk).length;
}

function agentOf(node: LabNode): number | undefined {
  // The daemon has closed the connection: its parent is the node's init.
  return node.processes().find(({ argv, parent }) => argv.includes("attach") && parent === node.pid)?.pid;
}

const EVERY_PYTHON = `for p in /proc/[0-9]*; do
  read -r comm <$p/comm && [ "$comm" = python3 ] && kill -9 \${p#/proc/}
done 2>/dev/null`;

const KILLS: [what: string, kill: string][] = [
  ["its agent", "kill -9 $PPID"],
  ["every python3 of its user", EVERY_PYTHON],
  ["every process of its user", "kill -9 -1"],
  ["its agent, which gets SIGTERM", "kill -TERM $PPID"],
];
for (const [index, [what, kill]] of KILLS.entries())
  for (const count of index === 3 ? [1] : [1, 2])
    t.test(
      `a chunk that kills ${what} on ${count} of the nodes fails, and no other chunk does`,
      { skip },
      async (t) => {
        const on = nodes.splice(0, count);
        const job = new KillerJob(`kill${index}on${count}`, kill);
        const began = performance.now();
        const ran = await job.start(on, 3).ended;
        t.comment(`ended after ${Math.round((performance.now() - began) / 100) / 10} s`);
        t.equal(ran.code, 3, ran.err);
        t.match(ran.out, /its node's agent died each time it ran/);
        t.match(ran.err, /attempt 1 failed on node\d+ slot \d: its node's agent died while it ran/);
        const others = Array.from({ length: CHUNKS }, (_, n) => n).filter((n) => n !== KILLER);
        t.same(committedChunks(job.run).sort(), others.map((n) => `n=${n}`).sort(), "every other chunk is done, once");
        t.equal(job.executions(on, KILLER), ATTEMPTS, "it ran as often as it may");
        for (const n of others)
          t.ok(job.executions(on, n) <= 1 + losses(job.run, `n=${n}`), `n=${n} ran no more often than it had to`);
        await checkNodes(t, on);
      },
    );

t.test("agents are killed occasionally: no chunk fails", { skip }, async (t) => {
  const on = nodes.splice(0, 2);
  const job = new KnownJob(shop, "outside", { chunks: 40, seconds: 0.4 });
  const run = startOn(job, on, {});
  for (const count of [4, 14, 24]) {
    await waitUntil("some are done", () => committedChunks(job.run).length >= count && agentOf(on[0]!) !== undefined);
    process.kill(agentOf(on[0]!)!, "SIGKILL");
  }
  await end(t, job, run, on);
  for (const [chunk, count] of Object.entries(countRepeatedChunks(job, on)))
    t.ok(count <= 1 + losses(job.run, chunk), `${chunk} ran no more often than it had to`);
});

t.test(
  "a node that keeps rebooting is reconnected with growing pauses, and its chunks do not fail",
  { skip },
  async (t) => {
    const on = nodes.splice(0, 1);
    const job = new KnownJob(shop, "reboots", { chunks: 6, gate: true });
    const run = startOn(job, on, {});
    for (let count = 0; count < 5; count++) {
      await waitUntil("it is at work", () => run.stderr().split("node").length > 1 && agentOf(on[0]!) !== undefined);
      const before = job.listExecutions(on).length;
      await waitUntil(
        "chunks run",
        () => job.listExecutions(on).length > before || job.listExecutions(on).length >= 2 * (count + 1),
      );
      await on[0]!.powerCycle();
    }
    job.openGate(on);
    await end(t, job, run, on);
    t.match(run.stderr(), /it has rebooted/);
    t.match(run.stderr(), /this is failure 4 in a row, so reconnecting waits 4 s/);
    t.same(
      job.chunks.map((chunk) => losses(job.run, chunk)),
      job.chunks.map(() => 0),
      "no try is used up",
    );
  },
);

t.test(
  "connections that drop once they are up are reconnected with growing pauses, and nothing is executed twice",
  { skip },
  async (t) => {
    const on = nodes.splice(0, 1);
    const job = new KnownJob(shop, "drops", { chunks: 90, seconds: 1 });
    const proxy = await proxyOf(t, on[0]!);
    const run = startOn(job, on, { [on[0]!.name]: { host: proxy.host, port: proxy.port } });
    const isWaiting = () => /this is failure 5 in a row, so reconnecting waits 8 s/.test(run.stderr());
    await dropUntil("reconnecting waits", isWaiting, { run, node: on[0]!, proxy });
    t.equal(proxy.accepted, 5, "connections");
    await end(t, job, run, on);
    t.same(countRepeatedChunks(job, on), {}, "once each");
  },
);

t.test("a node that reconnects only briefly loses its chunks when its grace period ends", { skip }, async (t) => {
  const on = nodes.splice(0, 2);
  const [brief, other] = on as [LabNode, LabNode];
  const job = new KnownJob(shop, "moments", { chunks: 16, gate: true });
  const proxy = await proxyOf(t, brief);
  const run = startOn(job, on, { [brief.name]: { host: proxy.host, port: proxy.port, grace: "6s" } });
  await waitUntil("both are at work", () => on.every((node) => job.listRunning([node]).length === 3));
  const left = job.listRunning([brief]);
  const lost = performance.now();
  job.openGate([other]);
  const isSaid = () => run.stderr().includes("its connection keeps failing, its chunks go to others");
  await dropUntil("it is said", isSaid, { run, node: brief, proxy });
  const seconds = (performance.now() - lost) / 1000;
  t.ok(seconds > 4 && seconds < 60, `after ${seconds} s`);
  const begun = () => job.listExecutions([other]).map(({ chunk }) => chunk);
  await waitUntil("they run elsewhere", () => left.every((chunk) => begun().includes(chunk)));
  job.openGate(on);
  await end(t, job, run, on);
});

function startOn(job: KnownJob, on: LabNode[], change: Record<string, Record<string, unknown>>): RunningMuster {
  const inventory = lab.inventory({ file: `${job.name}.yaml`, node: { slots: 3 }, nodes: change });
  return job.start(["-i", inventory, "--limit", on.map(({ name }) => name).join()]);
}

/** Cuts the connection each time the node has been attached, until `holds`. */
async function dropUntil(
  what: string,
  holds: () => boolean,
  { run, node, proxy }: { run: RunningMuster; node: LabNode; proxy: DelayingProxy },
): Promise<void> {
  let dropped = 0;
  await waitUntil(what, () => {
    const attached = run.stderr().split(`${node.name}: 3 slots`).length - 1;
    if (attached > dropped) {
      dropped = attached;
      proxy.reset();
    }
    return holds();
  });
}

async function proxyOf(t: Test, node: LabNode): Promise<DelayingProxy> {
  const proxy = await DelayingProxy.start(node, 0);
  t.teardown(() => proxy.stop());
  appendFileSync(lab.knownHosts, `[${proxy.host}]:${proxy.port} ${node.hostKey}\n`);
  return proxy;
}

async function end(t: Test, job: KnownJob, { ended }: RunningMuster, on: LabNode[]): Promise<void> {
  const ran = await ended;
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  await checkNodes(t, on);
}

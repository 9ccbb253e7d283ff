import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type LabNode, type LabOptions, startLab } from "../lab/lab.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, checkResults, committedChunks, countRepeatedChunks, findAgentPid, hasRecorded } from "./checks.js";
import { KnownJob, type RunningMuster } from "./knownjob.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 0 }, "looking into nodes");

/** The end of a run, and what must be true then. `again`: executions beyond one each. */
async function checkEnd(t: Test, job: KnownJob, { ended }: RunningMuster, again: string[] = [], nodes = lab.nodes) {
  const ran = await ended;
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.same(Object.keys(countRepeatedChunks(job, nodes)).sort(), again.sort(), "what was executed more than once");
  await checkNodes(t, nodes);
  return ran;
}

t.test("the agent is killed while chunks run: they are killed first, then run once more", { skip }, async (t) => {
  const job = new KnownJob(shop, "killed", { chunks: 20, gate: true });
  const [node, other] = lab.nodes as [LabNode, LabNode];
  const run = job.start(["-i", inventory]);
  await waitUntil("both are at work", () => lab.nodes.every((one) => job.listRunning([one]).length === 2));
  const lost = job.listRunning([node]);
  const workers = () => node.processes().filter(({ argv }) => argv.some((word) => word.endsWith("worker.py")));
  const before = workers().map(({ pid }) => pid);
  process.kill(findAgentPid(node)!, "SIGKILL");
  await waitUntil("its chunks are killed", () => !workers().some(({ pid }) => before.includes(pid)));
  job.openGate([node, other]);
  await checkEnd(t, job, run, lost);
});

t.test("the agent is killed while its results wait for a coordinator: none is executed again", { skip }, async (t) => {
  const job = new KnownJob(shop, "waiting", { chunks: 8, size: 40_000, gate: true });
  const first = job.start(["-i", inventory]);
  await waitUntil("both are at work", () => lab.nodes.every((one) => job.listRunning([one]).length === 2));
  first.child.kill("SIGKILL");
  await first.ended;
  job.openGate(lab.nodes);
  await waitUntil("all that they have is done, and written down there", () => lab.nodes.every(hasRecorded));
  for (const node of lab.nodes) process.kill(findAgentPid(node)!, "SIGKILL");
  await checkEnd(t, job, job.start(["-i", inventory]));
});

t.test("every process of the user is killed at logout, repeatedly", { skip }, async (t) => {
  const job = new KnownJob(shop, "logout", { chunks: 24, seconds: 0.3 });
  const run = job.start(["-i", inventory]);
  const [node] = lab.nodes as [LabNode];
  const lost: string[] = [];
  for (const count of [2, 8]) {
    await waitUntil(
      "some are done",
      () => committedChunks(job.run).length >= count && job.listRunning([node]).length > 0,
    );
    const safe = committedChunks(job.run);
    for (const { pid } of node.processes()) kill(pid);
    lost.push(...job.listExecutions([node]).flatMap(({ chunk }) => (safe.includes(chunk) ? [] : [chunk])));
  }
  const ran = await run.ended;
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  for (const chunk of Object.keys(countRepeatedChunks(job, lab.nodes)))
    t.ok(lost.includes(chunk), `${chunk} had begun and was not safe`);
  await checkNodes(t, lab.nodes);
});

t.test("sshd restarts and connections drop three times: nothing is executed twice", { skip }, async (t) => {
  const job = new KnownJob(shop, "sshd", { chunks: 30, seconds: 0.2 });
  const run = job.start(["-i", inventory]);
  const [node] = lab.nodes as [LabNode];
  for (const count of [2, 8, 16]) {
    await waitUntil("some are done", () => committedChunks(job.run).length >= count);
    await node.restartSshd();
    await node.dropConnections();
  }
  await checkEnd(t, job, run);
});

t.test("a node is power-cycled while chunks run: they are run again at once", { skip }, async (t) => {
  const job = new KnownJob(shop, "power", { chunks: 20, gate: true });
  const [node] = lab.nodes as [LabNode];
  const patient = lab.inventory({ file: "patient.yaml", defaults: { grace: "1h" } });
  const run = job.start(["-i", patient]);
  await waitUntil("both are at work", () => lab.nodes.every((one) => job.listRunning([one]).length === 2));
  const lost = job.listRunning([node]);
  await node.powerCycle();
  job.openGate(lab.nodes);
  await checkEnd(t, job, run, lost);
});

t.test(
  "the coordinator is gone for longer than the lease: nothing stays on the node, nothing committed is lost",
  { skip },
  async (t) => {
    const job = new KnownJob(shop, "lease", { chunks: 12, gate: true });
    const brief = lab.inventory({ file: "brief.yaml", defaults: { lease: "4s" } });
    const first = job.start(["-i", brief]);
    await waitUntil("both are at work", () => lab.nodes.every((one) => job.listRunning([one]).length === 2));
    job.openGate(lab.nodes.slice(0, 1));
    await waitUntil("the first node has done its own", () => committedChunks(job.run).length >= 2);
    first.child.kill("SIGKILL");
    await first.ended;
    const kept = committedChunks(job.run);
    await checkNodes(t, lab.nodes);
    const lost = job.listExecutions(lab.nodes).flatMap(({ chunk }) => (kept.includes(chunk) ? [] : [chunk]));
    job.openGate(lab.nodes);
    await checkEnd(t, job, job.start(["-i", brief]), lost);
  },
);

t.test("a coordinator that is connected for longer than the lease without sending commands", { skip }, async (t) => {
  const job = new KnownJob(shop, "renewed", { chunks: 2, seconds: 12 });
  const brief = lab.inventory({ file: "brief.yaml", defaults: { lease: "4s" } });
  await checkEnd(t, job, job.start(["-i", brief]));
});

t.test("what an abandoned run left on a node that rebooted is removed by the next run there", { skip }, async (t) => {
  const brief = lab.inventory({ file: "short.yaml", defaults: { lease: "30s" } });
  const dead = new KnownJob(shop, "dead", { chunks: 8, gate: true });
  const first = dead.start(["-i", brief]);
  await waitUntil("both are at work", () => lab.nodes.every((one) => dead.listRunning([one]).length === 2));
  first.child.kill("SIGKILL");
  for (const node of lab.nodes) await node.powerCycle();
  await first.ended;
  for (const node of lab.nodes) t.ok(existsSync(join(node.root, "root/.muster/runs")), "there is something to remove");
  const job = new KnownJob(shop, "next", { chunks: 8, seconds: 0.1 });
  await checkEnd(t, job, job.start(["-i", brief]));
});

/** A python whose clock jumps by a day at every look. */
const WRONG_CLOCK = `#!/bin/sh
[ "$2" = -c ] || exec /usr/bin/python3 "$@"
first=$1 code=$3
shift 3
exec /usr/bin/python3 "$first" -c "import time
days = iter(range(10**9))
time.time = lambda real=time.time: real() + (next(days) % 3 - 1) * 86400.0
time.time_ns = lambda: int(time.time() * 1e9)
$code" "$@"
`;

t.test("a node's clock that is a day off and jumps affects no time limits, leases or results", { skip }, async (t) => {
  for (const node of lab.nodes) writeFileSync(join(node.root, "usr/local/bin/wrong"), WRONG_CLOCK, { mode: 0o755 });
  const defaults = { python: "/usr/local/bin/wrong" };
  const wrong = lab.inventory({ file: "wrong.yaml", defaults });
  const job = new KnownJob(shop, "clock", { chunks: 12, seconds: 0.2, job: { timeout: "30s" } });
  const [node] = lab.nodes as [LabNode];
  const run = job.start(["-i", wrong]);
  await waitUntil("some are done", () => committedChunks(job.run).length >= 2);
  await node.dropConnections();
  await checkEnd(t, job, run);
  const late = new KnownJob(shop, "late", { chunks: 1, gate: true, job: { timeout: "1s", retry: { attempts: 1 } } });
  const ran = await late.muster(["-i", wrong]);
  t.equal(ran.code, 3, ran.err);
  t.match(ran.out, /still running after its timeout of 1 s/);
  const gone = new KnownJob(shop, "gone", { chunks: 4, gate: true });
  const left = gone.start(["-i", lab.inventory({ file: "gone.yaml", defaults: { ...defaults, lease: "4s" } })]);
  await waitUntil("both are at work", () => lab.nodes.every((one) => gone.listRunning([one]).length > 0));
  left.child.kill("SIGKILL");
  await left.ended;
  await checkNodes(t, lab.nodes);
});

const hard: [string, LabOptions, Record<string, unknown>][] = [
  [
    "one session on a connection, and a busy listener",
    { nodes: 1, sshd: { MaxSessions: 1, MaxStartups: "1:100:1" } },
    {},
  ],
  ["keys exchanged again every megabyte, both ways", { nodes: 1, sshd: { RekeyLimit: "1M" } }, { inputs: ["big.bin"] }],
  [
    "csh as login shell, with a banner",
    { nodes: 1, loginShell: "/bin/csh", banner: '{"ev":"hello"} $HOME `id` \'"' },
    {},
  ],
];
for (const [index, [what, options, keys]] of hard.entries())
  t.test(
    what,
    { skip: skip || (options.loginShell !== undefined && !existsSync("/bin/csh") && "no csh here") },
    async (t) => {
      const own = await startLab({ gpus: 0, ...options });
      t.teardown(() => own.stop());
      const job = new KnownJob(shop, `hard${index}`, { chunks: 6, size: 3_000_000, job: keys });
      writeFileSync(join(shop.folder, `hard${index}`, "big.bin"), Buffer.alloc(24_000_000, "rekey"));
      await checkEnd(t, job, job.start(["-i", own.inventory()]), [], own.nodes);
    },
  );

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

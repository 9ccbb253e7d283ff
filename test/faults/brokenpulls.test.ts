import { appendFileSync, existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { DelayingProxy } from "../lab/proxy.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, checkResults, countRepeatedChunks } from "./checks.js";
import { KnownJob } from "./knownjob.js";

const { skip, shop, lab } = await shareLab(t, { nodes: 1, gpus: 1 }, "looking into nodes");

const RESULT_BYTES = 48 << 20;

/** A job with a large result, on a node that is far away. */
async function startFarJob(t: Test, name: string) {
  const [node] = lab.nodes;
  const proxy = await DelayingProxy.start(node!, 15);
  t.teardown(() => proxy.stop());
  appendFileSync(lab.knownHosts, `[${proxy.host}]:${proxy.port} ${node!.hostKey}\n`);
  const inventory = lab.inventory({ file: `${name}.yaml`, node: { host: proxy.host, port: proxy.port } });
  return { proxy, inventory, job: new KnownJob(shop, name, { chunks: 1, size: RESULT_BYTES }) };
}

/** The file that a result is pulled into, while it is there only in part. */
function findPartialPull({ run }: KnownJob): { ino: number; size: number } | undefined {
  const folder = join(run, ".partial");
  const [name] = existsSync(folder) ? readdirSync(folder) : [];
  const stats = name === undefined ? undefined : statSync(join(folder, name), { throwIfNoEntry: false });
  return stats !== undefined && stats.size > 0 && stats.size < RESULT_BYTES ? stats : undefined;
}

async function waitForPartialPull(job: KnownJob): Promise<number> {
  await waitUntil("a part of the result is here", () => findPartialPull(job) !== undefined);
  return findPartialPull(job)!.ino;
}

async function checkContinued(t: Test, job: KnownJob, ino: number): Promise<void> {
  t.equal(statSync(join(job.run, "results/n=0/r.json")).ino, ino, "the published file is the one that was begun");
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {});
  await checkNodes(t, lab.nodes);
}

t.test("a pull continues where it was when its connection breaks", { skip }, async (t) => {
  const { job, inventory, proxy } = await startFarJob(t, "cutpull");
  const { ended } = job.start(["-i", inventory]);
  const ino = await waitForPartialPull(job);
  proxy.reset();
  const { code, err } = await ended;
  t.equal(code, 0, err);
  await checkContinued(t, job, ino);
});

t.test("a pull continues where it was when the coordinator was killed", { skip }, async (t) => {
  const { job, inventory } = await startFarJob(t, "killedpull");
  const first = job.start(["-i", inventory]);
  const ino = await waitForPartialPull(job);
  first.child.kill("SIGKILL");
  await first.ended;
  t.not(findPartialPull(job), undefined);
  const { code, err } = await job.muster(["-i", inventory]);
  t.equal(code, 0, err);
  await checkContinued(t, job, ino);
});

t.test("an interrupted coordinator leaves the part that it has pulled to the next one", { skip }, async (t) => {
  const { job, inventory, proxy } = await startFarJob(t, "stoppedpull");
  const first = job.start(["-i", inventory]);
  const ino = await waitForPartialPull(job);
  proxy.stall();
  first.child.kill("SIGINT");
  await first.ended;
  proxy.reset();
  proxy.resume();
  t.equal(findPartialPull(job)?.ino, ino);
  const { code, err } = await job.muster(["-i", inventory]);
  t.equal(code, 0, err);
  await checkContinued(t, job, ino);
});

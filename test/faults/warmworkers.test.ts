import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import type { LabNode } from "../lab/lab.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import {
  checkCommitted,
  checkNodes,
  checkResults,
  committedChunks,
  countRepeatedChunks,
  findAgentPid,
} from "./checks.js";
import { KnownJob } from "./knownjob.js";
import { createMulberry32 } from "./mulberry32.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 2 }, "looking into nodes");

/** The processes of the workers on a node. */
const findWorkers = (node: LabNode) =>
  node.processes().filter(({ argv }) => argv.some((word) => word.endsWith("worker.py")));

t.test("coordinator, agents and warm workers are killed at random: every chunk once", { skip }, async (t) => {
  const seed = Number(process.env.MUSTER_TEST_SEED ?? Date.now() % 1_000_000);
  t.comment(`MUSTER_TEST_SEED=${seed} repeats this`);
  const random = createMulberry32(seed);
  const retry = { attempts: 30, backoff: 0.1 };
  const job = new KnownJob(shop, "warmkills", { chunks: 300, seconds: 0.1, warm: true, job: { retry } });
  const pick = <T>(all: readonly T[]): T | undefined => all[Math.floor(random() * all.length)];
  for (let session = 0; session < 4; session++) {
    const { child, ended } = job.start(["-i", inventory]);
    for (let kill = 0; kill < 3; kill++) {
      await sleep(300 + random() * 600);
      const node = pick(lab.nodes)!;
      const pid = random() < 0.3 ? findAgentPid(node) : pick(findWorkers(node))?.pid;
      if (pid !== undefined) process.kill(pid, "SIGKILL");
    }
    child.kill("SIGKILL");
    await ended;
    checkCommitted(t, job, `session ${session}`);
  }
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  await checkNodes(t, lab.nodes);
});

t.test("warm workers end with their run, and execute every chunk once", { skip }, async (t) => {
  const job = new KnownJob(shop, "warmcount", { chunks: 60, seconds: 0.02, warm: true });
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {}, "every chunk was executed once");
  await checkNodes(t, lab.nodes);
});

t.test("a node is powered off and on while warm workers run there", { skip }, async (t) => {
  const job = new KnownJob(shop, "warmpower", { chunks: 80, seconds: 0.2, warm: true });
  const run = job.start(["-i", inventory]);
  const [node] = lab.nodes as [LabNode];
  await waitUntil("some are done", () => committedChunks(job.run).length >= 10 && job.listRunning([node]).length > 0);
  await node.powerCycle();
  const ran = await run.ended;
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  await checkNodes(t, lab.nodes);
});

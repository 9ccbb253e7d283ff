import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { checkCommitted, checkNodes, checkResults, committedChunks, countRepeatedChunks } from "./checks.js";
import { KnownJob } from "./knownjob.js";
import { createMulberry32 } from "./mulberry32.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 4 }, "looking into nodes");

t.test("the coordinator is killed at twenty random times", { skip }, async (t) => {
  const seed = Number(process.env.MUSTER_TEST_SEED ?? Date.now() % 1_000_000);
  t.comment(`MUSTER_TEST_SEED=${seed} repeats this`);
  const random = createMulberry32(seed);
  const job = new KnownJob(shop, "random", { chunks: 400, seconds: 0.3 });
  for (let kill = 0; kill < 20; kill++) {
    const { child, ended } = job.start(["-i", inventory]);
    const delay = 200 + random() * 1000;
    const timer = setTimeout(() => child.kill("SIGKILL"), delay);
    await ended;
    clearTimeout(timer);
    checkCommitted(t, job, `kill ${kill} after ${Math.round(delay)} ms`);
  }
  t.comment(`${committedChunks(job.run).length} of 400 chunks were committed by the killed`);
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {}, "every chunk was executed once");
  await checkNodes(t, lab.nodes);
});

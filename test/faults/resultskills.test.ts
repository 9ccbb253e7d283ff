import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { checkNodes } from "./checks.js";
import { PublishingJob } from "./publishingjob.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: 2, gpus: 0 }, "looking into nodes");

const words = ["-i", inventory];
/** What the folder of the job file has beside results. */
const own = ["job.json", "mine.txt", "w.py"];

/** Steps of the commit protocol, in order, and those of the end, once all chunks are committed. */
const steps = ["pulled", "written", "placed", "published", "lined", "recorded:3", "placed:2", "journaled"];
const ending = ["sorted", "aggregated", "combined", "combined:2", "closing"];

for (const kind of ["tasks", "range"] as const)
  t.test(`${kind} published in the project, killed at every step`, { skip }, async (t) => {
    const job = new PublishingJob(shop, kind, { kind, units: kind === "tasks" ? 40 : 160, seconds: 0.1 });
    for (const step of [...steps, ...ending]) {
      await job.kill(t, step, words);
      job.checkCommitted(t, step);
    }
    const ran = await job.muster(words);
    t.equal(ran.code, 0, ran.err);
    job.checkComplete(t, nodes, own);
    t.match(await job.muster(words), { code: 0, out: /already complete/ });
    await checkNodes(t, nodes);
  });

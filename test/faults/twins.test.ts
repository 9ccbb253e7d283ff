import t from "tap";
import { Workshop } from "../cli/muster.js";
import { type Lab, startLab, wholeMachines } from "../lab/lab.js";
import { labAvailable } from "../lab/requirements.js";
import { checkNodes, checkResults, committed, reached, repeated } from "./kit.js";
import { KnownJob } from "./known.js";

const available = labAvailable();
const skip = available.ok ? (wholeMachines("looking into nodes") ?? false) : available.missing;
const shop = new Workshop();
let lab: Lab;

t.before(async () => {
  if (!skip) lab = await startLab({ nodes: 2, gpus: 2 });
});
t.teardown(async () => {
  shop.remove();
  if (!skip) await lab.stop();
});

t.test(
  "two attempts of one chunk, both done, meet a new coordinator: one is taken, the other dropped",
  { skip },
  async (t) => {
    const [first, second] = [lab.nodes[0]!, lab.nodes[1]!];
    const inventory = lab.inventory({ node: { max_concurrent: 1 } });
    const job = new KnownJob(shop, "twins", { chunks: 2, seconds: 1, gate: true });
    const { child, ended } = job.start(["-i", inventory]);
    await reached("a chunk runs on each node", () => lab.nodes.every((node) => job.executions([node]).length === 1));
    const { chunk } = job.executions([first])[0]!;
    // The node lets nobody in any more, so its chunk goes to the other one at once.
    await first.restartSshd({ AllowUsers: "nobody" });
    await first.dropConnections();
    job.open([second]);
    await reached("its chunk runs there, too", () => job.executions([second]).some((one) => one.chunk === chunk));
    child.kill("SIGKILL");
    await ended;
    job.open([first]);
    await reached("both have ended", () => job.executions(lab.nodes).every((one) => one.ended));
    t.notOk(committed(job.run).includes(chunk), "neither is committed");
    await first.restartSshd();
    const ran = await job.muster(["-i", inventory, "--json"]);
    t.equal(ran.code, 0, ran.err);
    t.equal(JSON.parse(ran.out).session.attempts, 0, "nothing was started again");
    checkResults(t, job);
    t.same(repeated(job, lab.nodes), { [chunk]: 2 }, "the fault itself had it executed twice");
    await checkNodes(t, lab.nodes);
  },
);

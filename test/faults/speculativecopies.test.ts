import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, checkResults, committedChunks, countRepeatedChunks } from "./checks.js";
import { KnownJob } from "./knownjob.js";

const { skip, shop, lab } = await shareLab(t, { nodes: 2, gpus: 2 }, "looking into nodes");

t.test(
  "two finished attempts of one chunk are reported to a new coordinator: one is committed, the other dropped",
  { skip },
  async (t) => {
    const [first, second] = [lab.nodes[0]!, lab.nodes[1]!];
    const inventory = lab.inventory({ node: { max_concurrent: 1 } });
    const job = new KnownJob(shop, "twins", { chunks: 2, seconds: 1, gate: true });
    const { child, ended } = job.start(["-i", inventory]);
    await waitUntil("a chunk runs on each node", () =>
      lab.nodes.every((node) => job.listExecutions([node]).length === 1),
    );
    const { chunk } = job.listExecutions([first])[0]!;
    // The node lets nobody in any more, so its chunk goes to the other one at once.
    await first.restartSshd({ AllowUsers: "nobody" });
    await first.dropConnections();
    job.openGate([second]);
    await waitUntil("its chunk runs there, too", () => job.listExecutions([second]).some((one) => one.chunk === chunk));
    child.kill("SIGKILL");
    await ended;
    job.openGate([first]);
    await waitUntil("both have ended", () => job.listExecutions(lab.nodes).every((one) => one.ended));
    t.notOk(committedChunks(job.run).includes(chunk), "neither is committed");
    await first.restartSshd();
    const ran = await job.muster(["-i", inventory, "--json"]);
    t.equal(ran.code, 0, ran.err);
    t.equal(JSON.parse(ran.out).session.attempts, 0, "nothing was started again");
    checkResults(t, job);
    t.same(countRepeatedChunks(job, lab.nodes), { [chunk]: 2 }, "the fault itself had it executed twice");
    await checkNodes(t, lab.nodes);
  },
);

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, checkResults, committedChunks, countRepeatedChunks, readJournal } from "./checks.js";
import { KnownJob } from "./knownjob.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 2 }, "looking into nodes");

t.test(
  "Ctrl-C once ends the run in an orderly way and names the way to stop the agents; twice ends it at once",
  { skip },
  async (t) => {
    const job = new KnownJob(shop, "twice", { chunks: 40, gate: true });
    const once = job.start(["-i", inventory]);
    await waitUntil("four chunks run", () => job.listRunning(lab.nodes).length === 4);
    once.child.kill("SIGINT");
    const { code, err, out } = await once.ended;
    t.equal(code, 130);
    t.match(err, /stopping: no new chunks are started; running chunks continue on their nodes/);
    t.match(out, /to stop them: muster cancel \S*runs\/twice/);
    t.match(readJournal(job.run).at(-1), { e: "close", state: "interrupted" });
    t.equal(job.listRunning(lab.nodes).length, 4, "what ran continues");

    // A node that has fallen silent keeps the orderly end waiting; the second Ctrl-C does not.
    const twice = job.start(["-i", inventory]);
    await waitUntil(
      "it is attached",
      () => /node1: 2 slots/.test(twice.stderr()) && /node2: 2 slots/.test(twice.stderr()),
    );
    for (const node of lab.nodes) await node.cutOff();
    twice.child.kill("SIGINT");
    await waitUntil("it is stopping", () => twice.stderr().includes("stopping"));
    twice.child.kill("SIGINT");
    t.match(await twice.ended, { code: 130, out: "" }, "no summary, no waiting");
    for (const node of lab.nodes) await node.heal();
    job.openGate(lab.nodes);
    const ran = await job.muster(["-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    checkResults(t, job);
    t.same(countRepeatedChunks(job, lab.nodes), {});
    await checkNodes(t, lab.nodes);
  },
);

t.test(
  "Ctrl-C while a result is pulled from a silent node: the result is not waited for, and not lost",
  { skip },
  async (t) => {
    const job = new KnownJob(shop, "midway", { chunks: 1, size: 150_000_000 });
    const { child, ended } = job.start(["-i", inventory]);
    const partial = join(job.run, ".partial");
    await waitUntil("the pull has begun", () => existsSync(partial) && readdirSync(partial).length > 0);
    await Promise.all(lab.nodes.map((node) => node.cutOff()));
    const stopped = performance.now();
    child.kill("SIGINT");
    t.equal((await ended).code, 130);
    const seconds = (performance.now() - stopped) / 1000;
    t.ok(seconds < 20, `${seconds.toFixed(1)} s, well before the silence would be noticed`);
    t.same(committedChunks(job.run), [], "it was on its way indeed");
    for (const node of lab.nodes) await node.heal();
    const ran = await job.muster(["-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    checkResults(t, job);
    t.same(countRepeatedChunks(job, lab.nodes), {});
    await checkNodes(t, lab.nodes);
  },
);

import { chmodSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type MusterResult, runMuster } from "../cli/startmuster.js";
import { type LabNode, startLab } from "../lab/lab.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, checkResults, countRepeatedChunks, readJournal } from "./checks.js";
import { KnownJob, type RunningMuster } from "./knownjob.js";

const { skip, shop, lab, nodes, inventory } = await shareLab(t, { nodes: 2, gpus: 0 }, "looking into nodes");
const words = ["-i", inventory];
const [node1, node2] = nodes as [LabNode, LabNode];
const NODE2_LEFT =
  /node2 may still hold work of this run: .*; it is cleaned when it is next reached, or by: muster cancel/;

/** The agents of a node: they have closed the connection, so that their parent is the node's init. */
const agentsOf = (node: LabNode) =>
  node.processes().filter(({ argv, parent }) => argv.includes("attach") && parent === node.pid);

/** A job with both nodes at work on it, and nothing done. */
async function atWork(name: string): Promise<{ job: KnownJob; run: RunningMuster }> {
  const job = new KnownJob(shop, name, { chunks: 8, gate: true });
  const run = job.start(words);
  await waitUntil("both are at work", () => lab.nodes.every((node) => job.listRunning([node]).length === 2));
  return { job, run };
}

async function killed({ job, run }: { job: KnownJob; run: RunningMuster }): Promise<KnownJob> {
  run.child.kill("SIGKILL");
  await run.ended;
  return job;
}

/** Deletes what muster has on a node. A stopped agent does not notice. */
function deleteFolder(node: LabNode, agents: "stopped" | "running"): void {
  if (agents === "stopped") for (const { pid } of agentsOf(node)) process.kill(pid, "SIGSTOP");
  rmSync(join(node.root, "root/.muster"), { recursive: true });
}

function checkComplete(t: Test, job: KnownJob, ran: MusterResult): void {
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
}

t.test("cancel finds agents and chunks by their marks where their folders were deleted", { skip }, async (t) => {
  const job = await killed(await atWork("deleted"));
  for (const node of lab.nodes) deleteFolder(node, "stopped");
  const cancelled = await runMuster(["cancel", job.run]);
  t.equal(cancelled.code, 0, cancelled.err);
  for (const { name } of lab.nodes)
    t.match(
      cancelled.err,
      new RegExp(
        `${name}: stopped, nothing is left; its folder was missing, but processes of it were still running: \\d+`,
      ),
    );
  await checkNodes(t, lab.nodes);
  t.match(readJournal(job.run).at(-1), { e: "close", state: "cancelled", leftovers: [] });
  const again = await runMuster(["cancel", job.run]);
  t.match(again, { code: 0, err: /node1: holds nothing of this run/ });
});

t.test("a run folder that is deleted while it is used is reported, and its chunks run again", { skip }, async (t) => {
  const { job, run } = await atWork("survived");
  const lost = job.listRunning([node1]);
  deleteFolder(node1, "running");
  await waitUntil("it is noticed", () => run.stderr().includes("it was deleted or moved"));
  await waitUntil("there is one agent", () => agentsOf(node1).length === 1);
  job.openGate(lab.nodes);
  checkComplete(t, job, await run.ended);
  t.same(countRepeatedChunks(job, lab.nodes), Object.fromEntries(lost.map((chunk) => [chunk, 2])));
  await checkNodes(t, lab.nodes);
});

t.test("resuming after the run folders were deleted starts no second agent beside the first", { skip }, async (t) => {
  const job = await killed(await atWork("second"));
  // What attaches to an agent lives until sshd notices that the coordinator is gone; until then, no new agent ends the first one.
  const attached = () => lab.nodes.flatMap((node) => node.processes()).filter(({ argv }) => argv.includes("attach"));
  await waitUntil("its agents are alone", () => attached().length === 2);
  const first = lab.nodes.flatMap(agentsOf).map(({ pid }) => pid);
  for (const node of lab.nodes) deleteFolder(node, "stopped");
  const run = job.start(words);
  await waitUntil("both are at work", () => job.listRunning(lab.nodes).length === 8);
  await waitUntil("there is one agent a node", () => lab.nodes.every((node) => agentsOf(node).length === 1));
  const now = lab.nodes.flatMap(agentsOf).map(({ pid }) => pid);
  t.notOk(
    now.some((pid) => first.includes(pid)),
    "none of them is one of the first",
  );
  t.equal(workersOf(lab.nodes), 4, "and what those ran is gone");
  job.openGate(lab.nodes);
  checkComplete(t, job, await run.ended);
  await checkNodes(t, lab.nodes);
});

const workersOf = (nodes: LabNode[]) =>
  nodes.flatMap((node) => node.processes()).filter(({ argv }) => argv.some((word) => word.endsWith("worker.py")))
    .length;

t.test("a folder that cannot be examined counts as existing: exit 3 with the reason", { skip }, async (t) => {
  const own = await startLab({ nodes: 1, gpus: 0, user: "rig" });
  t.teardown(() => own.stop());
  const [node] = own.nodes as [LabNode];
  const job = new KnownJob(shop, "denied", { chunks: 2, gate: true });
  const run = job.start(["-i", own.inventory()]);
  await waitUntil("it is at work", () => job.listRunning([node]).length === 2);
  await killed({ job, run });
  const runs = join(node.root, "home/rig/.muster/runs");
  chmodSync(runs, 0);
  const cancelled = await runMuster(["cancel", job.run]);
  t.equal(cancelled.code, 3, cancelled.out);
  t.match(cancelled.err, /node1: not stopped: .*it cannot be examined: Permission denied/);
  t.same(await node.quiet(30), [], "its processes were ended all the same");
  t.match(readJournal(job.run).at(-1), {
    state: "cancelled",
    leftovers: [{ node: "node1", reason: /Permission denied/ }],
  });
  t.match(await runMuster(["status", job.run]), {
    code: 0,
    out: /may still hold work of this run: node1; to clean up: muster cancel/,
  });
  chmodSync(runs, 0o700);
  t.equal(readdirSync(runs).length, 1, "and the folder is there");
  const again = await runMuster(["cancel", job.run]);
  t.equal(again.code, 0, again.err);
  await checkNodes(t, own.nodes);
});

t.test("a node that cannot be examined when the run ends is listed", { skip }, async (t) => {
  const own = await startLab({ nodes: 1, gpus: 0, user: "rig" });
  t.teardown(() => own.stop());
  const [node] = own.nodes as [LabNode];
  const job = new KnownJob(shop, "listed", { chunks: 1, gate: true });
  const run = job.start(["-i", own.inventory()]);
  await waitUntil("it is at work", () => job.listRunning([node]).length === 1);
  const runs = join(node.root, "home/rig/.muster/runs");
  // With its folder beyond reach an agent still has its own descriptors: small results come along with its messages.
  chmodSync(runs, 0);
  job.openGate(own.nodes);
  const ran = await run.ended;
  checkComplete(t, job, ran);
  t.match(ran.out, /node1 may still hold work of this run: .*could not be removed/);
  t.same(await node.quiet(30), []);
  chmodSync(runs, 0o700);
  const again = await job.muster(["-i", own.inventory()]);
  t.match(again, { code: 0, out: /already complete/, err: /node1: cleaned/ });
  t.notMatch(again.out, /may still hold/);
  await checkNodes(t, own.nodes);
});

t.test(
  "an unreachable node is listed until it is cleaned, also by runs that were already complete",
  { skip },
  async (t) => {
    const job = await killed(await atWork("apart"));
    const { length } = job.listRunning([node2]);
    t.equal(length, 2);
    await node2.restartSshd({ AllowUsers: "nobody" });
    job.openGate([node1]);
    const ran = await job.muster(words);
    checkComplete(t, job, ran);
    t.match(ran.out, NODE2_LEFT);
    t.notMatch(ran.out, /node1 may still/);
    t.ok(agentsOf(node2).length === 1 && existsSync(join(node2.root, "root/.muster")), "it does hold something");
    t.match(readJournal(job.run).at(-1), { e: "close", state: "complete", leftovers: [{ node: "node2", inventory }] });
    const status = JSON.parse((await runMuster(["status", job.run, "--json"])).out);
    t.match(status, { state: "complete", leftovers: [{ node: "node2" }] });

    await node2.cutOff();
    const began = performance.now();
    const away = await job.muster([...words, "--json"]);
    t.equal(away.code, 0, away.err);
    t.match(JSON.parse(away.out), { already: true, leftovers: [{ node: "node2", reason: /not reached within 10 s/ }] });
    t.ok(performance.now() - began < 40_000, `${Math.round(performance.now() - began)} ms`);
    await node2.heal();

    const refused = await job.muster(words);
    t.match(refused, { code: 0, out: /already complete/ });
    t.match(refused.out, NODE2_LEFT);
    await node2.restartSshd();
    const cleaned = await job.muster(words);
    t.match(cleaned, { code: 0, out: /already complete/, err: /node2: cleaned/ });
    t.notMatch(cleaned.out, /may still hold/);
    await checkNodes(t, lab.nodes);
    checkResults(t, job);
    t.match(readJournal(job.run).at(-1), { e: "close", state: "complete", leftovers: [] });
    t.notMatch(JSON.parse((await runMuster(["status", job.run, "--json"])).out), { leftovers: [{}] });
    const after = await job.muster(words);
    t.equal(after.code, 0);
    t.notMatch(after.err, /node2/, "nobody is asked any more");
  },
);

t.test("cancel cleans what a complete run left, and does not list nodes that had no work", { skip }, async (t) => {
  const job = await killed(await atWork("cancelled"));
  await node2.restartSshd({ AllowUsers: "nobody" });
  job.openGate([node1]);
  checkComplete(t, job, await job.muster(words));
  const fresh = new KnownJob(shop, "fresh", { chunks: 4 });
  const ran = await fresh.muster(words);
  checkComplete(t, fresh, ran);
  t.notMatch(ran.out, /may still hold/, "node2 was never given anything of it");
  await node2.restartSshd();
  const cancelled = await runMuster(["cancel"], { cwd: join(shop.folder, "cancelled") });
  t.match(cancelled, { code: 0, err: /node2: stopped, nothing is left/, out: /was complete/ });
  await checkNodes(t, lab.nodes);
  t.match(readJournal(job.run).at(-1), { e: "close", state: "complete", leftovers: [] });
});

t.test("a node that takes no part in the last session is cleaned, too", { skip }, async (t) => {
  const tagged = (tags: string[]) =>
    lab.inventory({ file: "tagged.yaml", nodes: { node1: { tags: ["a"] }, node2: { tags } } });
  const job = new KnownJob(shop, "left-out", { chunks: 8, gate: true, job: { needs: { nodes: ["a"] } } });
  const run = job.start(["-i", tagged(["a"])]);
  await waitUntil("both are at work", () => job.listRunning(lab.nodes).length === 4);
  await killed({ job, run });
  job.openGate([node1]);
  const ran = await job.muster(["-i", tagged(["b"])]);
  checkComplete(t, job, ran);
  t.match(ran.err, /node2: cleaned/);
  t.notMatch(ran.out, /may still hold/);
  await checkNodes(t, lab.nodes);
});

t.test("a pipeline lists what its jobs left, and cleans it when it runs again", { skip }, async (t) => {
  const name = "line";
  const job = new KnownJob(shop, name, { chunks: 4, gate: true });
  const file = shop.write(`${name}/pipeline.yaml`, { kind: "pipeline", name, steps: { compute: { job: "job.yaml" } } });
  job.run = join(shop.folder, name, "out", "compute");
  const out = ["--out", join(shop.folder, name, "out")];
  const first = runMuster(["run", file, ...words, ...out]);
  await waitUntil("both are at work", () => lab.nodes.every((node) => job.listRunning([node]).length === 2));
  await node2.restartSshd({ AllowUsers: "nobody" });
  await node2.dropConnections();
  job.openGate([node1]);
  const ran = await first;
  t.equal(ran.code, 0, ran.err);
  t.match(ran.out, NODE2_LEFT);
  const listed = await runMuster(["run", file, ...words, ...out]);
  t.match(listed, { code: 0, out: /already complete/ });
  t.match(listed.out, NODE2_LEFT);
  await node2.restartSshd();
  const cleaned = await runMuster(["run", file, ...words, ...out]);
  t.match(cleaned, { code: 0, out: /already complete/ });
  t.notMatch(cleaned.out, /may still hold/);
  await checkNodes(t, lab.nodes);
});

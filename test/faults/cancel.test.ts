import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runMuster, startMuster } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import {
  checkCommitted,
  checkNodes,
  checkResults,
  committedChunks,
  countRepeatedChunks,
  hasRecorded,
  readJournal,
} from "./checks.js";
import { KnownJob, type KnownJobOptions, watchMuster } from "./knownjob.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 2 }, "looking into nodes");

t.test(
  "cancel a run whose coordinator is alive: it ends, nothing is left, and the run can be resumed",
  { skip },
  async (t) => {
    const job = new KnownJob(shop, "alive", { chunks: 12, gate: true });
    const first = job.start(["-i", inventory]);
    await waitUntil("four chunks run", () => job.listRunning(lab.nodes).length === 4);
    const cancelled = await runMuster(["cancel", job.run]);
    t.equal(cancelled.code, 0, cancelled.err);
    t.match(cancelled.err, `stopping muster process ${first.child.pid}`);
    t.match(cancelled.out, /^alive: cancelled; 0 chunks done and kept, nothing is left on 2 nodes\n$/);
    const { code, out } = await first.ended;
    t.equal(code, 143, "its coordinator ended as by TERM");
    t.match(out, /interrupted; .*\n.*\n.*\nrunning chunks continue on their nodes; to stop them: muster cancel/);
    await checkNodes(t, lab.nodes);
    t.match(readJournal(job.run).at(-1), { e: "close", state: "cancelled" });
    t.match(JSON.parse(readFileSync(join(job.run, "summary.json"), "utf8")), { state: "cancelled" });
    const again = await runMuster(["cancel", job.run, "--json"]);
    t.equal(again.code, 0, "cancelled again, it finds nothing");
    t.same(
      JSON.parse(again.out).nodes.map((one: { state: string }) => one.state),
      ["nothing", "nothing"],
    );
    job.openGate(lab.nodes);
    const ran = await job.muster(["-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    checkResults(t, job);
    t.equal(job.listExecutions(lab.nodes).length, 16, "the four that were killed, and twelve");
    await checkNodes(t, lab.nodes);
    const after = await runMuster(["cancel", job.run]);
    t.match(after, { code: 0, out: /^alive: was complete; 12 chunks done/ });
    t.match(readJournal(job.run).at(-1), { e: "close", state: "complete" });
  },
);

t.test("cancel a run whose coordinator was killed, from its directory alone", { skip }, async (t) => {
  const job = new KnownJob(shop, "dead", { chunks: 60, seconds: 0.1 });
  const first = job.start(["-i", inventory]);
  await waitUntil("some are committed", () => committedChunks(job.run).length > 8);
  first.child.kill("SIGKILL");
  await first.ended;
  const cancelled = await runMuster(["cancel", job.name], { cwd: join(shop.folder, job.name) });
  t.equal(cancelled.code, 0, cancelled.err);
  t.match(cancelled.out, `${committedChunks(job.run).length} chunks done and kept`);
  await checkNodes(t, lab.nodes);
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  await checkNodes(t, lab.nodes);
});

t.test("cancel a run whose agents are dead, too, and one of whose chunks still runs", { skip }, async (t) => {
  const job = new KnownJob(shop, "orphans", { chunks: 4, gate: true });
  const first = job.start(["-i", inventory]);
  await waitUntil("four chunks run", () => job.listRunning(lab.nodes).length === 4);
  first.child.kill("SIGKILL");
  await first.ended;
  for (const node of lab.nodes)
    for (const { pid, argv } of node.processes()) if (argv.includes("attach")) process.kill(pid, "SIGKILL");
  t.ok(
    lab.nodes.some((node) => node.processes().length > 0),
    "chunks live on",
  );
  const cancelled = await runMuster(["cancel", job.run]);
  t.equal(cancelled.code, 0, cancelled.err);
  await checkNodes(t, lab.nodes);
});

/** Starts a job of four chunks, and kills its coordinator before they end. Resolves when nodes hold all four results. */
async function leaveResultsOnNodes(name: string, options: Partial<KnownJobOptions> = {}): Promise<KnownJob> {
  const job = new KnownJob(shop, name, { chunks: 4, gate: true, ...options });
  const first = job.start(["-i", inventory]);
  await waitUntil("four chunks run", () => job.listRunning(lab.nodes).length === 4);
  first.child.kill("SIGKILL");
  await first.ended;
  job.openGate(lab.nodes);
  await waitUntil("their results wait on the nodes", () => lab.nodes.every(hasRecorded));
  return job;
}

t.test("cancel collects the results that nodes hold, and a resumed run computes only the rest", { skip }, async (t) => {
  const job = await leaveResultsOnNodes("held", { chunks: 8 });
  const cancelled = await runMuster(["cancel", job.run]);
  t.equal(cancelled.code, 0, cancelled.err);
  for (const { name } of lab.nodes)
    t.match(cancelled.err, new RegExp(`${name}: collecting \\d chunks? that ended there`));
  const collected = committedChunks(job.run).length;
  t.ok(collected >= 4, `${collected} chunks were committed`);
  t.match(
    cancelled.out,
    `held: cancelled; ${collected} chunks done and kept (${collected} of them collected now), nothing is left on 2 nodes`,
  );
  checkCommitted(t, job, "after cancel");
  await checkNodes(t, lab.nodes);
  t.match(await runMuster(["status", job.run]), { code: 0, out: `${collected} chunks done` });
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {}, "no chunk was computed twice");
});

t.test("cancel collects the results of a pipeline's step", { skip }, async (t) => {
  const job = new KnownJob(shop, "steps", { chunks: 4, gate: true });
  const steps = { compute: { job: "job.yaml" } };
  const file = shop.write("steps/pipeline.yaml", { kind: "pipeline", name: "steps", steps });
  const run = join(shop.folder, "steps", "out");
  const first = watchMuster(startMuster(["run", file, "-i", inventory, "--out", run]));
  await waitUntil("four chunks run", () => job.listRunning(lab.nodes).length === 4);
  first.child.kill("SIGKILL");
  await first.ended;
  job.openGate(lab.nodes);
  await waitUntil("their results wait on the nodes", () => lab.nodes.every(hasRecorded));
  const cancelled = await runMuster(["cancel", run, "--json"]);
  t.equal(cancelled.code, 0, cancelled.err);
  t.match(JSON.parse(cancelled.out).steps, [{ step: "compute", chunks: 4, collected: 4, dropped: 0 }]);
  const again = await runMuster(["run", file, "-i", inventory, "--out", run]);
  t.equal(again.code, 0, again.err);
  t.equal(job.listExecutions(lab.nodes).length, 4, "nothing was computed again");
  await checkNodes(t, lab.nodes);
});

t.test("results of a job that cannot be loaded are counted, and computed again later", { skip }, async (t) => {
  const job = await leaveResultsOnNodes("uncollected");
  const kept = readFileSync(join(job.run, "job.yaml"));
  writeFileSync(join(job.run, "job.yaml"), "kind: range\n");
  const cancelled = await runMuster(["cancel", job.run, "--json"]);
  t.equal(cancelled.code, 0, cancelled.err);
  t.match(JSON.parse(cancelled.out), { chunks: 0, collected: 0, dropped: 4, uncollected: /job\.yaml/ });
  await checkNodes(t, lab.nodes);
  writeFileSync(join(job.run, "job.yaml"), kept);
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.equal(job.listExecutions(lab.nodes).length, 8);
});

t.test("cancel a run whose coordinator was stopped (SIGSTOP)", { skip }, async (t) => {
  const job = new KnownJob(shop, "stopped", { chunks: 4, gate: true });
  const first = job.start(["-i", inventory]);
  await waitUntil("four chunks run", () => job.listRunning(lab.nodes).length === 4);
  first.child.kill("SIGSTOP");
  const cancelled = await runMuster(["cancel", job.run]);
  t.equal(cancelled.code, 0, cancelled.err);
  t.equal((await first.ended).code, 143);
  await checkNodes(t, lab.nodes);
});

t.test(
  "cancel names an unreachable node and stops the others; it can be repeated when the node is back",
  { skip },
  async (t) => {
    const job = new KnownJob(shop, "apart", { chunks: 4, gate: true });
    const [here, away] = [lab.nodes[0]!, lab.nodes[1]!];
    const first = job.start(["-i", inventory]);
    await waitUntil("four chunks run", () => job.listRunning(lab.nodes).length === 4);
    first.child.kill("SIGKILL");
    await first.ended;
    await away.restartSshd({ AllowUsers: "nobody" });
    const half = await runMuster(["cancel", job.run]);
    t.equal(half.code, 3, half.err);
    t.match(half.out, /cancelled, but not on node2/);
    await checkNodes(t, [here]);
    await away.restartSshd();
    const whole = await runMuster(["cancel", job.run]);
    t.equal(whole.code, 0, whole.err);
    await checkNodes(t, lab.nodes);
  },
);

t.test("cancel reports an inventory that has moved, and -i names another", { skip }, async (t) => {
  const own = lab.inventory({ file: "own.yaml" });
  const job = new KnownJob(shop, "moved", { chunks: 2, gate: true });
  const first = job.start(["-i", own]);
  await waitUntil("two chunks run", () => job.listRunning(lab.nodes).length === 2);
  first.child.kill("SIGINT");
  t.equal((await first.ended).code, 130);
  rmSync(own);
  const lost = await runMuster(["cancel", job.run]);
  t.match(lost, {
    code: 65,
    err: /own\.yaml, the inventory of this run, does not exist any more\n\s+Name another inventory with -i/,
  });
  const found = await runMuster(["cancel", job.run, "-i", inventory]);
  t.equal(found.code, 0, found.err);
  await checkNodes(t, lab.nodes);
});

/** Processes of this machine that have `word` in their command line. */
const processesWith = (word: string) =>
  readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && readOr(`/proc/${pid}/cmdline`).includes(word));

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has ended meanwhile
  }
}

for (const dead of [false, true])
  t.test(
    `cancel of a pipeline whose coordinator ${dead ? "was killed" : "lives"}: jobs and commands`,
    { skip },
    async (t) => {
      const name = `pipeline-${dead ? "dead" : "alive"}`;
      const job = new KnownJob(shop, name, { chunks: 4, gate: true });
      const nap = `3600.${dead ? 1 : 2}7`;
      const file = shop.write(`${name}/pipeline.yaml`, {
        kind: "pipeline",
        name,
        steps: { compute: { job: "job.yaml" }, nap: { command: ["sleep", nap] } },
      });
      const run = join(shop.folder, name, "out");
      const first = watchMuster(startMuster(["run", file, "-i", inventory, "--out", run]));
      await waitUntil(
        "four chunks and the command run",
        () => job.listRunning(lab.nodes).length === 4 && processesWith(nap).length > 0,
      );
      if (dead) {
        first.child.kill("SIGKILL");
        await first.ended;
        t.ok(processesWith(nap).length > 0, "the command lives on");
      }
      const cancelled = await runMuster(["cancel", run, "--json"]);
      t.equal(cancelled.code, 0, cancelled.err);
      const reported = JSON.parse(cancelled.out);
      t.match(reported, { name, state: "cancelled", steps: [{ step: "compute", state: "cancelled", chunks: 0 }] });
      t.same(
        reported.steps[0].nodes.map((one: { state: string }) => one.state),
        ["stopped", "stopped"],
      );
      if (!dead) t.equal((await first.ended).code, 143);
      t.same(processesWith(nap), [], "no command is left");
      await checkNodes(t, lab.nodes);
      t.match(await runMuster(["status", run]), { code: 0, out: /cancelled/ });
    },
  );

t.test("cancel without a run where there is none, or more than one", { skip }, async (t) => {
  const none = await runMuster(["cancel"], { cwd: shop.write("empty/x", "").slice(0, -2) });
  t.match(none, { code: 64, err: /there is no unfinished run here/ });
  const wrong = await runMuster(["cancel", "nowhere"], { cwd: shop.folder });
  t.match(wrong, { code: 64, err: /nowhere: is neither a run directory nor the name of one/ });
  t.equal(existsSync(join(shop.folder, "nowhere")), false);
});

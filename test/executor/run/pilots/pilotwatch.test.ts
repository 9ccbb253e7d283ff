import { readFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { Coordinator } from "../../../../executor/run/coordinator.js";
import { formatJobName } from "../../../../executor/run/pilots/pilot.js";
import { PilotRecords } from "../../../../executor/run/pilots/pilotrecords.js";
import { PilotWatch } from "../../../../executor/run/pilots/pilotwatch.js";
import type { UsedCluster } from "../../../../executor/run/pilots/usedcluster.js";
import type { Journal } from "../../../../executor/run/record/journal.js";
import type { JournalEntry } from "../../../../executor/run/record/journalentry.js";
import type { OpenPilot } from "../../../../executor/run/record/openpilots.js";
import type { RunEnd } from "../../../../executor/run/runend.js";
import type { RunObserver } from "../../../../executor/run/runobserver.js";
import type { Node } from "../../../../fleet/node.js";
import type { SlurmEngine } from "../../../../fleet/slurm/slurmengine.js";
import { SlurmError } from "../../../../fleet/slurm/slurmerror.js";
import { MusterError } from "../../../../schemas/errors.js";
import { createCluster } from "../../../fleet/slurm/clusters.js";
import { projectRoot } from "../../../lab/project.js";
import { waitUntil } from "../../../lab/waituntil.js";
import { FakeEngine } from "./fakeengine.js";

/** A watch of the cluster `hpc`, of a run that has this many waiting chunks, and whose nodes do nothing by themselves. */
function createWatch(t: Test, { waitingChunks = 4, keys = "pilots: 2", isBesideHung = false } = {}) {
  const engine = new FakeEngine();
  const added: { node: Node; deadline: number; worker: object }[] = [];
  const expected: boolean[] = [];
  const ends: RunEnd[] = [];
  const notices: string[] = [];
  const demand = { waitingChunks, waitingSeconds: undefined, remainingSeconds: undefined };
  const coordinator = {
    scheduler: { view: { estimateDemand: () => demand, inFlight: () => [] }, inFlightCount: 0 },
    workers: [],
    workerOf: (name: string) => added.find(({ node }) => node.name === name)?.worker,
    expectMoreNodes: (isExpected: boolean) => expected.push(isExpected),
    addNode: (node: Node, deadline: number) => {
      added.push({ node, deadline, worker: { node, deadline, state: "live", end: () => {} } });
    },
    event: () => {},
    end: (end: RunEnd) => ends.push(end),
  } as unknown as Coordinator;
  const journal = { add: () => {}, flush: async () => {} } as unknown as Journal<JournalEntry>;
  const used: UsedCluster = {
    cluster: createCluster(keys),
    engine: engine as unknown as SlurmEngine,
    chunksPerPilot: 1,
  };
  const observer = { notice: (message: string) => notices.push(message) } as unknown as RunObserver;
  const unusable: string[] = [];
  const records = new PilotRecords(journal, "/i.yaml");
  const hung = { submit: () => new Promise(() => {}) } as unknown as SlurmEngine;
  const other = { ...used, cluster: { ...used.cluster, name: "hung" }, engine: hung };
  const watch = new PilotWatch(
    isBesideHung ? [other, used] : [used],
    coordinator,
    ["r1"],
    records,
    "/i.yaml",
    observer,
    (_, error) => {
      unusable.push(error.reason);
    },
  );
  if (!isBesideHung) t.teardown(() => watch.stop());
  return { added, demand, ends, engine, expected, journal, notices, unusable, watch };
}

const earlier = (token: string, rest: Partial<OpenPilot> = {}): OpenPilot => ({
  cluster: "hpc",
  inventory: "/i.yaml",
  token,
  ...rest,
});

t.test("pilots are submitted up to the limit, join, and are ended with the run", async (t) => {
  const { added, engine, expected, journal, watch } = createWatch(t);
  await watch.start([]);
  await waitUntil("both are submitted", () => engine.jobs.size === 2, 10);
  engine.set("101", { state: "running", secondsLeft: 1800 });
  await waitUntil("one has joined", () => added.length === 1, 10);
  t.match(added, [{ node: { name: "hpc/101", graceSeconds: 2100 } }]);
  const left = added[0]!.deadline - performance.now() / 1000;
  t.ok(left > 1600 && left < 1800 - 120, `${left} s until it leaves, before Slurm's warning`);
  await waitUntil("it works", () => watch.waiting.length === 1, 10);
  t.match(watch.waiting, [{ id: "102", state: "pending", reason: "Priority" }]);
  t.strictSame(await watch.finish({ state: "complete" }, ["r1"], journal), []);
  t.equal(engine.jobs.size, 0);
  t.strictSame(expected, [true]);
});

t.test("an interrupted run leaves its pilots", async (t) => {
  const { engine, journal, notices, watch } = createWatch(t);
  await watch.start([]);
  await waitUntil("both are submitted", () => engine.jobs.size === 2, 10);
  engine.set("101", { state: "running", secondsLeft: 1800 });
  await waitUntil("one runs", () => watch.waiting.some(({ state }) => state === "starting"), 10);
  await watch.finish({ state: "interrupted" }, ["r1"], journal);
  t.equal(engine.jobs.size, 2);
  t.match(notices.slice(-2), [
    /hpc: pilot 101 can be taken over by the same command within 5 min/,
    /hpc: pilot 102 may stay in the queue, .*one that starts while no muster is there ends after 2 min/,
  ]);
});

t.test("a pilot that starts while no muster is there ends after as long as the message says", async (t) => {
  const settings = readFileSync(join(projectRoot(), "templates/muster_agent/settings.py"), "utf8");
  t.match(settings, /^UNOPENED_LEASE_SECONDS = 120\.0 /m);
});

t.test("refused pilots that cannot be ended are named", async (t) => {
  const { added, engine, journal, notices, watch } = createWatch(t, { waitingChunks: 1, keys: "pilots: 1" });
  await watch.start([]);
  await waitUntil("it is submitted", () => engine.jobs.size === 1, 10);
  engine.set("101", { state: "running", secondsLeft: 1800 });
  await waitUntil("it has joined", () => added.length === 1, 10);
  await watch.stop();
  Object.assign(added[0]!.worker, { state: "refused" });
  engine.listError = new MusterError("UNREACHABLE", "squeue: Unable to contact slurm controller");
  await watch.finish({ state: "stranded" }, ["r1"], journal);
  t.match(notices, [
    /submitted/,
    "hpc: pilots 101 may still run: squeue: Unable to contact slurm controller; muster cancel ends them",
  ]);
  t.strictSame(watch.names, ["hpc/101"], "for muster status");
});

for (const state of ["stranded", "interrupted"] as const)
  t.test(`pilots whose nodes are refused do not outlive a run that is ${state}`, async (t) => {
    const { added, engine, journal, notices, watch } = createWatch(t);
    await watch.start([]);
    await waitUntil("both are submitted", () => engine.jobs.size === 2, 10);
    for (const id of ["101", "102"]) engine.set(id, { state: "running", secondsLeft: 1800 });
    await waitUntil("both have joined", () => added.length === 2, 10);
    Object.assign(added[0]!.worker, { state: "refused", reason: "its host key is not known" });
    await watch.finish({ state }, ["r1"], journal);
    t.strictSame([...engine.jobs.keys()], ["102"], "also where the watch has not seen it yet");
    t.match(notices.at(-1), /hpc: pilot 102 can be taken over/);
  });

t.test("a pilot whose node is refused is given back, and counts as one that could not work", async (t) => {
  const { added, engine, notices, watch } = createWatch(t, { waitingChunks: 1, keys: "pilots: 1" });
  await watch.start([]);
  await waitUntil("it is submitted", () => engine.jobs.size === 1, 10);
  engine.hosts.set("101", "c1");
  engine.set("101", { state: "running", secondsLeft: 1800 });
  await waitUntil("it has joined", () => added.length === 1, 10);
  Object.assign(added[0]!.worker, { state: "refused", reason: "its host key is not known" });
  await waitUntil("another one is submitted", () => engine.jobs.has("102"), 10);
  t.strictSame(engine.excluded, ["c1"]);
  t.match(notices, [
    /pilot 101 submitted/,
    "hpc: pilot 101 could not work on c1: its host key is not known; further ones go to other nodes (failure 1 of 3)",
    /pilot 102 submitted/,
  ]);
});

t.test("a refusal does not end a run while earlier pilots wait", async (t) => {
  const { demand, engine, expected, unusable, watch } = createWatch(t, { waitingChunks: 1 });
  engine.jobs.set("7", { jobName: formatJobName("r1", "a"), state: "pending" });
  await watch.start([earlier("a", { id: "7" })]);
  engine.submitError = new SlurmError("refused", createCluster(), "sbatch", "partition is down");
  demand.waitingChunks = 2;
  await waitUntil("it is refused", () => unusable.length === 1, 10);
  t.strictSame(expected, [true]);
  engine.jobs.clear();
  await waitUntil("no node is expected any more", () => expected.length > 1, 20);
  t.strictSame(expected, [true, false]);
});

t.test("the pilots of an earlier session are waited for", async (t) => {
  const { added, engine, watch } = createWatch(t, { waitingChunks: 1 });
  const { list, submit } = engine;
  engine.jobs.set("7", { jobName: formatJobName("r1", "a"), state: "running" });
  let isLooking = false;
  engine.list = async () => {
    isLooking = true;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    isLooking = false;
    return list.call(engine);
  };
  const submissions: boolean[] = [];
  engine.submit = (request) => {
    submissions.push(isLooking);
    return submit.call(engine, request);
  };
  await watch.start([earlier("a", { id: "7", beganAtMs: Date.now() }), earlier("b", { id: "8" })]);
  t.match(added, [{ node: { name: "hpc/7" } }]);
  await waitUntil("one is submitted in place of the other, which is over", () => submissions.length > 0, 10);
  t.strictSame(submissions, [false], "nothing is submitted while the queue is looked at");
});

t.test("pilots on clusters that are not used any more are left over", async (t) => {
  const { engine, journal, watch } = createWatch(t, { waitingChunks: 0 });
  engine.jobs.set("7", { jobName: formatJobName("r1", "a"), state: "pending" });
  await watch.start([earlier("a", { id: "7" }), earlier("b", { cluster: "old", id: "9" })]);
  const left = await watch.finish({ state: "complete" }, ["r1"], journal);
  t.match(left, [{ node: "old/9", reason: /not in the inventory any more/ }]);
  t.equal(engine.jobs.size, 0);
});

t.test("an error that is not the cluster's ends the run", async (t) => {
  const { ends, engine, watch } = createWatch(t);
  const error = new Error("ENOSPC");
  engine.submit = () => Promise.reject(error);
  await watch.start([]);
  await waitUntil("the run ends", () => ends.length > 0, 10);
  t.strictSame(ends[0], { state: "broken", error });
});

t.test("a cluster that does not answer holds up no other", async (t) => {
  const { added, engine, watch } = createWatch(t, { isBesideHung: true });
  await watch.start([]);
  await waitUntil("both are submitted", () => engine.jobs.size === 2, 10);
  engine.set("101", { state: "running", secondsLeft: 1800 });
  await waitUntil("one has joined", () => added.length === 1, 10);
  t.match(added, [{ node: { name: "hpc/101" } }]);
  void watch.stop(); // it waits for the other
});

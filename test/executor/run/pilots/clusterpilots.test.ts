import t, { type Test } from "tap";
import { ClusterPilots, type PilotEvent } from "../../../../executor/run/pilots/clusterpilots.js";
import { formatJobName } from "../../../../executor/run/pilots/pilot.js";
import { PilotRecords } from "../../../../executor/run/pilots/pilotrecords.js";
import type { Journal } from "../../../../executor/run/record/journal.js";
import type { JournalEntry } from "../../../../executor/run/record/journalentry.js";
import { OpenPilots } from "../../../../executor/run/record/openpilots.js";
import { SlurmError } from "../../../../fleet/slurm/slurmerror.js";
import { MusterError } from "../../../../schemas/errors.js";
import { createCluster } from "../../../fleet/slurm/clusters.js";
import { FakeEngine, stopClock } from "./fakeengine.js";

const LOST = new MusterError("LOST", "sbatch: the connection to the login node was lost");
const UNREACHABLE = new MusterError("UNREACHABLE", "squeue: Unable to contact slurm controller");

/** A cluster with a fake engine, and with a clock that stands still. */
function createPilots(t: Test, runIds = ["r1"]) {
  const clock = stopClock(t);
  const engine = new FakeEngine();
  const events: PilotEvent[] = [];
  const entries: JournalEntry[] = [];
  let flushed = 0;
  const journal = {
    add: (entry: JournalEntry) => entries.push(entry),
    flush: async () => {
      flushed = entries.length;
    },
  } as unknown as Journal<JournalEntry>;
  const pilots = new ClusterPilots(
    createCluster("pilots: 8, time: 1h"),
    engine,
    runIds,
    new PilotRecords(journal, "/i.yaml"),
    (event) => events.push(event),
  );
  return {
    clock,
    engine,
    pilots,
    entries,
    flushed: () => flushed,
    open: () => {
      const open = new OpenPilots();
      for (const entry of entries) if (entry.e === "pilot") open.apply(entry);
      return [...open];
    },
    states: () => [...pilots.pilots.values()].map(({ id, state }) => [id, state]),
    /** What happened since the last call. */
    take: (type: PilotEvent["type"]) => events.splice(0).filter((event) => event.type === type),
    /** Lets time pass, and looks as often as is due. */
    async pass(seconds: number) {
      for (let passed = 0; passed < seconds; passed += 0.5) {
        clock.advance(0.5);
        await pilots.lookIfDue();
      }
    },
  };
}

t.test("a pilot from its submission to its end", async (t) => {
  const { engine, pilots, entries, take, pass, states, open } = createPilots(t);
  await pilots.submit(2);
  t.strictSame(states(), [
    ["101", "pending"],
    ["102", "pending"],
  ]);
  t.match(take("notice"), [{ message: "hpc: pilots 101, 102 submitted" }]);
  t.equal(pilots.unstarted, 2);
  await pass(2);
  t.match([...pilots.pilots.values()], [{ reason: "Priority" }, { reason: "Priority" }]);
  engine.set("101", { state: "running", secondsLeft: 3500 });
  await pass(10);
  t.match(take("started"), [{ pilot: { id: "101", state: "starting" }, secondsLeft: 3500 }]);
  const [first] = [...pilots.pilots.values()];
  pilots.markWorking(first!);
  t.equal(pilots.unstarted, 1);
  engine.jobs.delete("101");
  engine.reasons.set("101", "timeout");
  await pass(31);
  t.match(take("over"), [{ pilot: { id: "101" }, reason: "timeout" }]);
  t.strictSame(states(), [["102", "pending"]]);
  t.match(open(), [{ id: "102" }]);
  t.strictSame(
    entries.flatMap((entry) => (entry.e === "pilot" ? [`${entry.id ?? "-"} ${entry.state}`] : [])),
    ["- submitting", "- submitting", "101 submitted", "102 submitted", "101 running", "101 over"],
  );
});

t.test("a submission is on disk before it is made", async (t) => {
  const { engine, pilots, flushed } = createPilots(t);
  const { submit } = engine;
  const before: number[] = [];
  engine.submit = (request) => {
    before.push(flushed());
    return submit.call(engine, request);
  };
  await pilots.submit(2);
  t.strictSame(before, [2, 3], "both submissions, then the id of the first");
});

t.test("a lost reply is found again by the job's name", async (t) => {
  const { engine, pilots, take, pass, states, open } = createPilots(t);
  engine.losesReply = true;
  await pilots.submit(3);
  t.strictSame(states(), [[undefined, "submitting"]], "the others were not submitted");
  t.equal(engine.jobs.size, 1);
  t.match(take("notice"), [{ message: /connection to the login node was lost; it is tried again/ }]);
  t.notOk(pilots.canSubmit, "a pause");
  await pass(2);
  t.strictSame(states(), [["101", "pending"]]);
  t.match(take("notice"), [{ message: "hpc: pilot 101 was found in the queue" }]);
  t.match(open(), [{ id: "101" }]);
  await pass(30);
  t.ok(pilots.canSubmit);
});

t.test("a submission that never arrived is forgotten only after a time", async (t) => {
  const { engine, pilots, take, pass, states, open } = createPilots(t);
  engine.submitError = LOST;
  await pilots.submit(1);
  await pass(119);
  t.strictSame(states(), [[undefined, "submitting"]]);
  await pass(40);
  t.strictSame(states(), []);
  t.equal(take("over").length, 0);
  t.ok(pilots.canSubmit, "it is no failure of a pilot");
  t.equal(open().length, 1, "the end of the run looks for it once more");
  const [late] = pilots.unseen.values();
  engine.jobs.set("900", { jobName: formatJobName("r1", late!.token), state: "pending" });
  engine.submitError = undefined;
  await pilots.submit(1);
  await pass(2);
  t.strictSame(states().sort(), [
    ["101", "pending"],
    ["900", "pending"],
  ]);
  t.equal(pilots.unseen.size, 0, "it came after all");
});

t.test("while the queue cannot be looked at, no submission is forgotten", async (t) => {
  const { engine, pilots, pass, states } = createPilots(t);
  engine.submitError = LOST;
  engine.listError = UNREACHABLE;
  await pilots.submit(1);
  await pass(600);
  t.strictSame(states(), [[undefined, "submitting"]]);
});

t.test("what is submitted during a look is not taken for over", async (t) => {
  const { clock, engine, pilots, states, take } = createPilots(t);
  const { list } = engine;
  engine.list = async () => {
    const queue = await list.call(engine);
    clock.advance(1);
    await pilots.submit(1);
    return queue;
  };
  await pilots.submit(1);
  clock.advance(1);
  await pilots.look();
  t.equal(states().length, 2);
  t.equal(take("over").length, 0);
});

t.test("limits of the cluster", async (t) => {
  const { engine, pilots, take, pass, states, open } = createPilots(t);
  engine.submitError = new SlurmError("limited", createCluster(), "sbatch", "AssocMaxSubmitJobLimit");
  await pilots.submit(2);
  t.strictSame([states(), open()], [[], []], "it was certainly not submitted");
  t.match(take("notice"), [{ message: /no further pilot for now: sbatch: AssocMaxSubmitJobLimit/ }]);
  t.notOk(pilots.canSubmit);
  await pass(61);
  t.ok(pilots.canSubmit);
  await pilots.submit(1);
  t.strictSame(take("notice"), [], "it is said once");
  await pass(61);
  engine.submitError = undefined;
  await pilots.submit(1);
  engine.submitError = new SlurmError("limited", createCluster(), "sbatch", "AssocMaxSubmitJobLimit");
  take("notice");
  await pilots.submit(1);
  t.equal(take("notice").length, 1, "and again after one that succeeded");
  t.equal(pilots.problem, undefined);
});

t.test("a refusal makes the cluster unusable", async (t) => {
  const { engine, pilots, take, states, open } = createPilots(t);
  const error = new SlurmError("refused", createCluster(), "sbatch", "invalid partition specified: x");
  engine.submitError = error;
  await pilots.submit(2);
  t.strictSame(take("unusable"), [{ type: "unusable", error }]);
  t.strictSame([states(), open(), pilots.canSubmit, pilots.problem], [[], [], false, error]);
});

t.test("a pilot that is being ended may hand over what it has", async (t) => {
  const { engine, pilots, take, pass } = createPilots(t);
  await pilots.submit(1);
  engine.set("101", { state: "running" });
  await pass(2);
  pilots.markWorking([...pilots.pilots.values()][0]!);
  await pass(60);
  engine.set("101", { state: "ending" });
  const { looks } = engine;
  await pass(44);
  t.ok(engine.looks >= looks + 4, "it is looked at more often than every 30 s");
  t.equal(take("over").length, 0);
  await pass(45);
  t.equal(take("over").length, 1, "not for ever");
});

t.test("the queue cannot be asked", async (t) => {
  const { engine, pilots, take, pass, states } = createPilots(t);
  await pilots.submit(2);
  engine.set("101", { state: "running" });
  await pass(2);
  take("started");
  engine.listError = UNREACHABLE;
  await pass(3600);
  t.match(take("notice"), [{ message: /its queue cannot be looked at \(squeue: .*\); what runs goes on/ }], "once");
  t.equal(states().length, 2);
  await pass(330);
  t.match(take("over"), [{ pilot: { id: "101" }, reason: /time limit has passed/ }]);
  t.strictSame(states(), [["102", "pending"]], "what waits is not over");
  engine.listError = undefined;
  engine.jobs.delete("101");
  await pass(31);
  t.strictSame(states(), [["102", "pending"]]);
});

t.test("the queue is looked at every 30 seconds at most, sooner after a submission", async (t) => {
  const { engine, pilots, pass } = createPilots(t);
  await pass(600);
  t.equal(engine.looks, 0, "there are no pilots");
  await pilots.submit(1);
  await pass(20);
  t.ok(engine.looks >= 4);
  const { looks } = engine;
  await pass(600);
  t.ok(engine.looks - looks <= 21, `${engine.looks - looks} looks in 10 min`);
});

t.test("pilots that end before they could work pause submissions, and make the cluster unusable", async (t) => {
  const { engine, pilots, take, pass } = createPilots(t);
  const pauses: number[] = [];
  for (let failure = 1; failure <= 5; failure++) {
    await pilots.submit(1);
    const [id] = engine.jobs.keys();
    engine.jobs.delete(id!);
    engine.reasons.set(id!, "setup failed there: false");
    await pass(1);
    if (failure === 1)
      t.match(take("notice"), [
        {},
        { message: "hpc: pilot 101 ended before it could work: setup failed there: false" },
      ]);
    if (failure === 5) break;
    let pause = 0;
    for (; !pilots.canSubmit; pause += 10) await pass(10);
    pauses.push(pause);
  }
  t.strictSame(pauses, [30, 60, 120, 240]);
  t.match(take("unusable"), [
    { error: { code: "SLURM", message: /5 pilots in a row ended before they could work: setup failed there: false/ } },
  ]);
  t.notOk(pilots.canSubmit);
});

t.test("a pilot that works ends a series of failures", async (t) => {
  const { engine, pilots, take, pass } = createPilots(t);
  for (let round = 0; round < 12; round++) {
    await pilots.submit(1);
    const [id] = engine.jobs.keys();
    engine.set(id!, { state: "running" });
    await pass(2);
    if (round % 4 === 3) pilots.markWorking([...pilots.pilots.values()][0]!);
    engine.jobs.delete(id!);
    await pass(600);
  }
  t.equal(take("unusable").length, 0);
});

t.test("released pilots are no failures, do not join, and are cancelled until they end", async (t) => {
  const { engine, pilots, take, pass, states } = createPilots(t);
  await pilots.submit(2);
  engine.cancelError = UNREACHABLE;
  await t.rejects(pilots.cancel([...pilots.pilots.values()].slice(0, 1)), { code: "UNREACHABLE" });
  t.equal(pilots.unstarted, 1);
  engine.set("101", { state: "running" });
  await pass(5);
  t.equal(take("started").length, 0);
  t.ok(engine.cancelled.length > 1);
  t.ok(engine.cancelled.every((ids) => ids.join() === "101"));
  engine.cancelError = undefined;
  await pass(62);
  t.strictSame(states(), [["102", "pending"]]);
  t.match(take("over"), [{ pilot: { id: "101", isReleased: true } }]);
  t.ok(pilots.canSubmit);
});

t.test("pilots of an earlier session", async (t) => {
  const { clock, engine, pilots, take, pass, states } = createPilots(t);
  const beganAtMs = Date.now();
  clock.advance(600);
  const adopt = (token: string, rest: object) => pilots.adopt({ cluster: "hpc", inventory: "/i.yaml", token, ...rest });
  const add = (id: string, token: string, state: "pending" | "running" | "ending") =>
    engine.jobs.set(id, { jobName: formatJobName("r1", token), state });
  adopt("runs", { id: "1", beganAtMs });
  adopt("waits", { id: "2" });
  adopt("over", { id: "3", beganAtMs });
  for (let number = 0; number < 5; number++) adopt(`gone${number}`, { id: `9${number}` });
  adopt("unanswered", {});
  adopt("nowhere", {});
  add("1", "runs", "running");
  add("2", "waits", "pending");
  add("4", "unanswered", "running");
  add("5", "unrecorded", "running");
  engine.jobs.set("6", { jobName: formatJobName("other", "x"), state: "running" });
  await pilots.look();
  t.strictSame(states(), [
    ["1", "starting"],
    ["2", "pending"],
    ["4", "starting"],
    [undefined, "submitting"],
    ["5", "starting"],
  ]);
  t.equal(pilots.pilots.get("runs")!.beganAtMs, beganAtMs, "its time limit counts from then");
  t.ok(pilots.canSubmit, "those that are over may have run in the meantime");
  await pass(200);
  t.notOk(states().some(([id]) => id === undefined));
  t.equal(take("unusable").length, 0);
});

t.test("pilots of the run's former ids are cancelled", async (t) => {
  const { clock, engine, pilots, take, states } = createPilots(t, ["r1", "r2"]);
  pilots.adopt({ cluster: "hpc", inventory: "/i.yaml", token: "a", id: "1", beganAtMs: Date.now() });
  engine.jobs.set("1", { jobName: formatJobName("r1", "a"), state: "running" });
  engine.jobs.set("2", { jobName: formatJobName("r1", "b"), state: "pending" });
  engine.jobs.set("3", { jobName: formatJobName("r2", "c"), state: "running" });
  await pilots.look();
  t.match(take("started"), [{ pilot: { id: "3" } }]);
  t.strictSame(engine.cancelled, [["1", "2"]]);
  clock.advance(1);
  await pilots.look();
  t.strictSame(states(), [["3", "starting"]]);
  t.ok(pilots.canSubmit, "they are no failures");
});

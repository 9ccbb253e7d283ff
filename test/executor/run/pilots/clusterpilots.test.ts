import t from "tap";
import { formatJobName } from "../../../../executor/run/pilots/pilot.js";
import { SlurmError } from "../../../../fleet/slurm/slurmerror.js";
import { MusterError } from "../../../../schemas/errors.js";
import { createCluster } from "../../../fleet/slurm/clusters.js";
import { createPilots } from "./createpilots.js";

const LOST = new MusterError("LOST", "sbatch: the connection to the login node was lost");
const UNREACHABLE = new MusterError("UNREACHABLE", "squeue: Unable to contact slurm controller");

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
  t.match(take("over"), [{ pilot: { id: "101" }, end: { reason: "timeout" }, hasFailed: false }]);
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
  await pilots.submit(1);
  await pass(2);
  engine.listError = UNREACHABLE;
  await pass(1200);
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

t.test("a refusal of what was accepted before is waited for, for more than an hour", async (t) => {
  const { clock, engine, pilots, take } = createPilots(t);
  await pilots.submit(1);
  take("notice");
  engine.submitError = new SlurmError("refused", createCluster(), "sbatch", "Required partition not available");
  await pilots.submit(1);
  t.match(take("notice"), [{ message: /no further pilot for now: sbatch: Required partition not available/ }]);
  let seconds = 0;
  for (; pilots.problem === undefined && seconds < 7200; seconds += 10) {
    clock.advance(10);
    if (pilots.canSubmit) await pilots.submit(1);
  }
  t.ok(seconds > 3600 && seconds < 7200, `unusable after ${seconds} s`);
  t.equal(take("unusable").length, 1);
  t.strictSame(take("notice"), [], "it was said once");
});

t.test("one that is accepted ends a series of refusals", async (t) => {
  const { engine, pilots } = createPilots(t);
  await pilots.submit(1);
  for (let n = 0; n < 30; n++) {
    engine.submitError = n % 3 === 2 ? undefined : new SlurmError("refused", createCluster(), "sbatch", "not now");
    await pilots.submit(1);
  }
  t.equal(pilots.problem, undefined);
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
  t.match(take("over"), [{ pilot: { id: "101" }, end: { reason: /time limit has passed/ } }]);
  t.strictSame(states(), [["102", "pending"]], "what waits is not over");
  engine.listError = undefined;
  engine.jobs.delete("101");
  await pass(31);
  t.strictSame(states(), [["102", "pending"]]);
});

t.test("a cluster that has never answered is waited for 10 minutes", async (t) => {
  const { engine, pilots, take, pass, states } = createPilots(t);
  engine.submitError = UNREACHABLE;
  engine.listError = UNREACHABLE;
  await pilots.submit(1);
  await pass(599);
  t.strictSame([states(), pilots.problem], [[[undefined, "submitting"]], undefined]);
  await pass(31);
  t.strictSame([states(), pilots.problem], [[], UNREACHABLE]);
  t.equal(take("unusable").length, 1);
  t.equal(pilots.unseen.size, 1, "it is looked for at the end");
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

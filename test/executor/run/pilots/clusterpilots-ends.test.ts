import t from "tap";
import { formatJobName } from "../../../../executor/run/pilots/pilot.js";
import { SlurmError } from "../../../../fleet/slurm/slurmerror.js";
import { MusterError } from "../../../../schemas/errors.js";
import { createCluster } from "../../../fleet/slurm/clusters.js";
import { createPilots } from "./createpilots.js";

const UNREACHABLE = new MusterError("UNREACHABLE", "squeue: Unable to contact slurm controller");

t.test("pilots that could not work pause submissions, and make the cluster unusable", async (t) => {
  const { engine, pilots, take, pass } = createPilots(t);
  const pauses: number[] = [];
  for (let failure = 1; failure <= 3; failure++) {
    await pilots.submit(1);
    const [id] = engine.jobs.keys();
    engine.jobs.delete(id!);
    engine.reasons.set(id!, "setup failed there: false");
    await pass(1);
    if (failure === 1)
      t.match(take("notice"), [
        {},
        {
          message:
            "hpc: pilot 101 could not work: setup failed there: false; the next one comes in 30 s (failure 1 of 3)",
        },
      ]);
    if (failure === 3) break;
    await pass(0.5); // sums of fractions may miss the very end of a pause
    let pause = 0;
    for (; !pilots.canSubmit; pause += 10) await pass(10);
    pauses.push(pause);
  }
  t.strictSame(pauses, [30, 60]);
  t.match(take("unusable"), [
    { error: { code: "SLURM", message: /3 pilots in a row could not work: setup failed there: false/ } },
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
    if (round % 3 === 2) pilots.markWorking([...pilots.pilots.values()][0]!);
    engine.jobs.delete(id!);
    await pass(600);
  }
  t.equal(take("unusable").length, 0);
});

t.test("pilots that could not work on one node are one failure, and the next ones go to other nodes", async (t) => {
  const { engine, pilots, take, pass } = createPilots(t);
  await pilots.submit(3);
  for (const id of ["101", "102", "103"]) {
    engine.jobs.delete(id);
    engine.reasons.set(id, "there is no python3");
    engine.hosts.set(id, "c1");
  }
  await pass(1);
  t.match(take("notice").slice(1), [
    {
      message:
        "hpc: pilot 101 could not work on c1: there is no python3; further ones go to other nodes (failure 1 of 3)",
    },
    { message: "hpc: pilot 102 could not work on c1: there is no python3" },
    { message: "hpc: pilot 103 could not work on c1: there is no python3" },
  ]);
  t.ok(pilots.canSubmit, "at once");
  await pilots.submit(1);
  t.strictSame(engine.excluded, ["c1"]);
});

t.test("a cluster that has no other nodes gets requests without exclusions", async (t) => {
  const { engine, pilots, take, pass, open } = createPilots(t);
  await pilots.submit(1);
  engine.jobs.delete("101");
  engine.hosts.set("101", "c1");
  await pass(1);
  engine.submitError = new SlurmError("refused", createCluster(), "sbatch", "node configuration is not available");
  await pilots.submit(1);
  t.strictSame([take("unusable"), open(), pilots.canSubmit], [[], [], true]);
  engine.submitError = undefined;
  await pilots.submit(1);
  t.strictSame(engine.excluded, []);
  engine.submitError = new SlurmError("refused", createCluster(), "sbatch", "node configuration is not available");
  await pilots.submit(1);
  t.notOk(pilots.canSubmit, "a refusal counts then");
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

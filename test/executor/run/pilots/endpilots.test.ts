import { mock } from "node:test";
import t from "tap";
import { endPilots } from "../../../../executor/run/pilots/endpilots.js";
import { MusterError } from "../../../../schemas/errors.js";
import { FakeEngine } from "./fakeengine.js";

t.test("the pilots of a run are cancelled, and waited for", async (t) => {
  const engine = new FakeEngine();
  engine.jobs.set("1", { jobName: "muster-r1-a", state: "running" });
  engine.jobs.set("2", { jobName: "muster-r0-b", state: "pending" });
  engine.jobs.set("3", { jobName: "muster-r2-c", state: "running" });
  engine.jobs.set("4", { jobName: "mine", state: "running" });
  t.strictSame(await endPilots(engine, ["r0", "r1"]), { ids: ["1", "2"] });
  t.strictSame([...engine.jobs.keys()], ["3", "4"], "others are left alone");
  t.equal(engine.looks, 2, "it has been seen that they are gone");
});

t.test("nothing is left to cancel", async (t) => {
  const engine = new FakeEngine();
  t.strictSame(await endPilots(engine, ["r1"]), { ids: [] });
  t.strictSame(engine.cancelled, []);
});

t.test("one that is ending is waited for, and not cancelled", async (t) => {
  const engine = new FakeEngine();
  engine.jobs.set("1", { jobName: "muster-r1-a", state: "ending" });
  setTimeout(() => engine.jobs.delete("1"), 100);
  t.strictSame(await endPilots(engine, ["r1"]), { ids: [] });
  t.strictSame(engine.cancelled, []);
});

t.test("one that appears meanwhile is cancelled, too", async (t) => {
  const engine = new FakeEngine();
  engine.jobs.set("1", { jobName: "muster-r1-a", state: "running" });
  const { cancel } = engine;
  engine.cancel = async (ids) => {
    await cancel.call(engine, ids);
    if (ids.includes("1")) engine.jobs.set("2", { jobName: "muster-r1-b", state: "pending" });
  };
  t.strictSame(await endPilots(engine, ["r1"]), { ids: ["1", "2"] });
});

t.test("a cluster that does not answer", async (t) => {
  const problem = "squeue: Unable to contact slurm controller";
  const engine = new FakeEngine();
  engine.jobs.set("1", { jobName: "muster-r1-a", state: "running" });
  engine.listError = new MusterError("UNREACHABLE", problem);
  t.strictSame(await endPilots(engine, ["r1"]), { ids: [], problem });
  engine.listError = undefined;
  engine.cancelError = new MusterError("UNREACHABLE", problem);
  t.strictSame(await endPilots(engine, ["r1"]), { ids: [], problem }, "none was cancelled");
  const broken = new Error("a bug");
  engine.list = () => Promise.reject(broken);
  await t.rejects(endPilots(engine, ["r1"]), broken);
});

t.test("pilots that do not leave the queue", async (t) => {
  const engine = new FakeEngine();
  engine.jobs.set("1", { jobName: "muster-r1-a", state: "running" });
  engine.cancel = async (ids) => {
    engine.cancelled.push([...ids]);
    engine.set("1", { state: "ending" });
  };
  const begin = performance.now();
  const clock = mock.method(performance, "now", () => begin + engine.looks * 25_000);
  t.teardown(() => clock.mock.restore());
  t.strictSame(await endPilots(engine, ["r1"]), {
    ids: ["1"],
    problem: "1 still in its queue 60 s after scancel",
  });
  t.equal(engine.cancelled.length, 1);
});

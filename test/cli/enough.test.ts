import { join } from "node:path";
import t from "tap";
import { type MusterResult, runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

const run = (file: string, ...words: string[]) => runMuster(["run", file, "-i", "local", ...words]);
const statesOf = (ran: MusterResult): Record<string, string> =>
  Object.fromEntries(JSON.parse(ran.out).steps.map((one: { step: string; state: string }) => [one.step, one.state]));

/** A job of 20 chunks, of which those from `bad` on fail. It counts how often a failing chunk has run. */
function writeJob(name: string, bad: number, keys: object = {}): string {
  return shop.write(`${name}/job.yaml`, {
    kind: "matrix",
    matrix: { n: [0, 20] },
    command: ["sh", "-c", `[ $0 -lt ${bad} ] || {{ echo x >> ${shop.folder}/failed-${name}; exit 1; }}; echo $0 > r`],
    args: ["{n}"],
    outputs: ["r"],
    retry: { attempts: 1 },
    aggregate: { from: "r", as: "array", to: "all.json" },
    ...keys,
  });
}
const failedAttempts = (name: string) => shop.read(`failed-${name}`).length / 2;

t.test("a job says whether what is done is enough; its exit status stays 3", async (t) => {
  const table: [string, string | number, RegExp, boolean][] = [
    [
      "reached",
      "95%",
      /job: partly done, which is enough \(19 of 20 units, 19 required\): 19 chunks done, 1 failed/,
      true,
    ],
    [
      "missed",
      20,
      /job: partly done, which is not enough \(19 of 20 units, 20 required\): 19 chunks done, 1 failed/,
      false,
    ],
  ];
  for (const [name, enough, message, reached] of table) {
    const file = writeJob(name, 19, { enough });
    const first = await run(file);
    t.match(first, { code: 3, out: message }, name);
    t.match(first.out, /failed: chunk n=19 on .*exit code 1/, "the rest is reported");
    t.match(shop.json(`${name}/runs/job/summary.json`), {
      state: "partial",
      enough: { required: name === "reached" ? "19" : "20", reached },
    });
    t.equal((await run(file)).code, 3);
    t.equal(failedAttempts(name), 2, "on its own it is tried again");
  }
  const whole = await run(writeJob("whole", 20, { enough: 5 }));
  t.match(whole, { code: 0, out: /job: complete: 20 chunks/ });
});

t.test("the steps that follow run where enough is done, and the step is not tried again", async (t) => {
  const after = { command: ["cp", "{in}/all", "{out}/all"], inputs: { all: "part/all.json" }, outputs: ["all"] };
  writeJob("step", 19, { enough: 20 });
  const file = shop.write("step/p.yaml", {
    steps: {
      part: { job: "job.yaml", enough: "90%", when: "changed" },
      after,
      missing: { command: ["true"], inputs: { r: "part/n=19/r" } },
      found: { command: ["true"], inputs: { r: "part/n=18/r" } },
    },
  });
  const first = await run(file);
  t.equal(first.code, 3, first.err);
  t.match(
    first.out,
    /part: +enough, 19 chunks, \S+ s: 19 of 20 units are done, 18 are required; 1 chunks? failed; first n=19: exit code 1/,
  );
  t.match(first.out, /after: +complete/);
  t.match(first.out, /missing: +failed, \S+ s: step part has no output "n=19\/r"/);
  t.match(first.out, /found: +complete/);
  t.equal(shop.json<number[]>("step/runs/p/after/results/all").length, 19);
  const again = await run(file, "--json");
  t.equal(again.code, 3);
  t.match(statesOf(again), { part: "enough", after: "complete", missing: "failed" });
  t.equal(failedAttempts("step"), 1);
  const fresh = await run(file, "--json", "--fresh");
  t.match(statesOf(fresh), { part: "enough" });
  t.equal(failedAttempts("step"), 2, "a new run tries again what failed");
  t.match(statesOf(await run(file, "--json", "--fresh", "--only", "found")), { part: "taken over", found: "complete" });
});

t.test("a pipeline all of whose steps have enough is done, with exit status 3", async (t) => {
  writeJob("done", 19, { enough: "95%" });
  shop.write("done/tell.sh", '#!/bin/sh\ncat > "$1"\n', 0o755);
  const file = shop.write("done/p.yaml", {
    on_failure: [{ command: ["./tell.sh", "failure.json"] }],
    on_success: [{ command: ["./tell.sh", "success.json"] }],
    steps: { part: { job: "job.yaml" }, after: { command: ["true"], needs: ["part"] } },
  });
  const first = await run(file);
  t.match(first, { code: 3, out: /^p: partly done, which is enough: 2 of 2 steps done/ });
  t.match(shop.json("done/failure.json"), {
    exit: 3,
    state: "partial",
    steps: [{ step: "part", state: "enough" }, {}],
  });
  t.throws(() => shop.read("done/success.json"));
  const again = await run(file);
  t.match(again, { code: 3, out: /^p: already partly done, which is enough, 2 steps/ });
  t.equal(failedAttempts("done"), 1);
  t.match(
    (await runMuster(["status", "p"], { cwd: join(shop.folder, "done") })).out,
    /p: partial: 100 %, 2 steps done\n(.*\n)* {2}part: enough, 95 %/,
  );
});

t.test("a step that does not reach it blocks what follows, and is tried again", async (t) => {
  writeJob("less", 15, { enough: "50%" });
  const file = shop.write("less/p.yaml", {
    steps: { part: { job: "job.yaml", enough: 16 }, after: { command: ["true"], needs: ["part"] } },
  });
  const first = await run(file);
  t.match(first, {
    code: 3,
    out: /part: +partial, 15 chunks, \S+ s: not enough: 15 of 20 units are done, 16 are required; 5 chunks failed/,
  });
  t.match(first.out, /after: +blocked: it needs part/);
  // How often depends on the slots that are disabled because of them.
  const attempts = failedAttempts("less");
  t.equal((await run(file)).code, 3);
  t.ok(failedAttempts("less") >= attempts + 5, "every failed chunk is tried again");
});

t.test("killed at its end, a step with enough is finished by the same command", async (t) => {
  writeJob("kill", 19);
  const file = shop.write("kill/p.yaml", {
    steps: { part: { job: "job.yaml", enough: "95%" }, after: { command: ["true"], needs: ["part"] } },
  });
  for (const point of ["closed", "step-done", "step-ended"]) {
    const killed = await runMuster(["run", file, "-i", "local"], { env: { MUSTER_KILL_AT: point } });
    t.equal(killed.code, null, `${point}: it was killed`);
  }
  const last = await run(file, "--json");
  t.equal(last.code, 3);
  t.match(statesOf(last), { part: "enough", after: "complete" });
  t.equal(shop.results("kill/runs/p/part").length, 19);
  // Until the end of the step is journaled, its failed chunk is tried again.
  t.equal(failedAttempts("kill"), 3);
});

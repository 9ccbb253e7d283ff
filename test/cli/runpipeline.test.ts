import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { type MusterResult, runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

const run = (file: string, ...words: string[]) => runMuster(["run", file, "-i", "local", "--json", ...words]);
const statesOf = (ran: MusterResult): Record<string, string> =>
  Object.fromEntries(JSON.parse(ran.out).steps.map((one: { step: string; state: string }) => [one.step, one.state]));

t.test(
  "the example pipeline runs from the sieve to the prediction, each kind of model in its own process",
  async (t) => {
    shop.example("pipeline");
    const file = join(shop.folder, "pipeline/pipeline.yaml");
    const ran = await runMuster(["run", file, "-i", "local"]);
    t.equal(ran.code, 0, ran.err);
    t.match(ran.out, /analysis: complete: 6 of 6 steps done/);
    const at = "pipeline/runs/analysis";
    t.same(shop.json(`${at}/predict/results/prediction.json`), {
      model: "generator",
      seed: 271828,
      score: 1,
      next: [846, 929, 45],
    });
    const models = shop.json<{ model: string; pid: number }[]>(`${at}/models/models.json`);
    t.equal(new Set(models.map((one) => one.pid)).size, 4);
    t.equal(shop.results(`${at}/scoring`).length, 2);
    const again = await runMuster(["run", file, "-i", "local"]);
    t.equal(again.code, 0);
    t.match(again.out, /analysis: already complete, 6 steps/);
    const status = await runMuster(["status", "analysis"], { cwd: join(shop.folder, "pipeline") });
    t.match(status.out, /analysis: complete: 100 %, 6 steps done\n(.*\n)*.*sieve: complete, 100 %, \d+ chunks/);
    const logs = await runMuster(["logs", "analysis/predict", "command"], { cwd: join(shop.folder, "pipeline") });
    t.match(logs.out, /'seed': 271828/);
    const plan = await runMuster(["run", file, "-i", "local", "--plan"]);
    t.match(plan.out, /scoring: job .*, after sieve and best\n/);

    const fresh = await run(file, "--fresh");
    t.equal(fresh.code, 0, fresh.err);
    t.match(statesOf(fresh), { sieve: "unchanged", trials: "complete", models: "unchanged", predict: "complete" });
    t.same(shop.json(`${at}-2/predict/results/prediction.json`), shop.json(`${at}/predict/results/prediction.json`));
    const wider = await run(file, "--fresh", "--set", "sieve.tolerance=130");
    t.match(statesOf(wider), { sieve: "complete", models: "complete" }, "another parameter, other survivors");
    t.ok(shop.json<[]>(`${at}-3/sieve/survivors.json`).length > shop.json<[]>(`${at}/sieve/survivors.json`).length);
    const from = await run(file, "--fresh", "--from", "scoring");
    t.equal(from.code, 0, from.err);
    t.match(statesOf(from), {
      sieve: "taken over",
      trials: "left out",
      best: "taken over",
      scoring: "complete",
      models: "taken over",
      predict: "complete",
    });
    const only = await run(file, "--fresh", "--only", "models");
    t.match(statesOf(only), { sieve: "taken over", models: "unchanged", predict: "left out" });
    t.equal((await run(file, "--from", "sieve", "--only", "models")).code, 64);
    t.match(await run(file, "--only", "model"), { code: 64, err: /did you mean "models"\?/ });
  },
);

/** Three dependent steps that count how often they ran: two commands with a job between them. */
function counting(name: string): string {
  shop.write(`${name}/count.sh`, '#!/bin/sh\necho x >> "$1"; cat "$2" > "$3"\n', 0o755);
  shop.write(`${name}/text`, "0");
  shop.write(`${name}/job.yaml`, {
    kind: "matrix",
    matrix: { n: [1, 3] },
    script: "add.py",
    args: ["{n}", join(shop.folder, name)],
    inputs: ["text"],
    outputs: ["sum"],
    aggregate: { from: "sum", as: "array", to: "sums.json" },
  });
  shop.write(
    `${name}/add.py`,
    'import sys\nopen(sys.argv[2] + "/ran-" + sys.argv[1], "a").write("x")\nopen("sum", "w").write(str(int(open("text").read()) + int(sys.argv[1])))\n',
  );
  return shop.write(`${name}/p.yaml`, {
    steps: {
      one: { command: ["./count.sh", "ran-one", "text", "{out}/text"], outputs: ["text"] },
      two: { job: "job.yaml", inputs: { text: "one/text" } },
      three: {
        command: ["./count.sh", "ran-three", "{in}/sums.json", "{out}/end"],
        inputs: { "sums.json": "two/sums.json" },
        outputs: ["end"],
      },
    },
  });
}

t.test("killed at every boundary of every step: the same results, and no finished work is repeated", async (t) => {
  const file = counting("kill");
  const ran = (what: string) =>
    existsSync(join(shop.folder, `kill/ran-${what}`)) ? shop.read(`kill/ran-${what}`).replaceAll("\n", "").length : 0;
  const counts = () => ["one", "1", "2", "three"].map(ran);
  // A command whose end was not journaled runs again; chunks of a job never do.
  const expected = [
    [
      [0, 0, 0, 0],
      [1, 0, 0, 0],
      [2, 0, 0, 0],
    ],
    [
      [2, 0, 0, 0],
      [2, 1, 1, 0],
      [2, 1, 1, 0],
    ],
    [
      [2, 1, 1, 0],
      [2, 1, 1, 1],
      [2, 1, 1, 2],
    ],
  ];
  for (const [index, step] of ["one", "two", "three"].entries())
    for (const [nth, point] of ["step-begun", "step-done", "step-ended"].entries()) {
      const killed = await runMuster(["run", file, "-i", "local"], { env: { MUSTER_KILL_AT: point } });
      t.equal(killed.code, null, `${step}, ${point}: it was killed`);
      t.same(counts(), expected[index]![nth], `${step}, ${point}`);
    }
  t.match(await runMuster(["status", "p"], { cwd: join(shop.folder, "kill") }), {
    out: /^p: interrupted: 100 %, 3 steps done/,
  });
  const last = await run(file);
  t.equal(last.code, 0, last.err);
  t.same(counts(), [2, 1, 1, 2]);
  t.same(shop.json("kill/runs/p/three/results/end"), [1, 2]);
});

t.test("a failed step stops only its dependents, and the same command resumes the pipeline", async (t) => {
  const file = shop.write("fail/p.yaml", {
    steps: {
      bad: { command: ["sh", "-c", "echo no such survivor >&2; exit 7"] },
      missing: { command: ["true"], outputs: ["x"] },
      after: { command: ["true"], needs: ["bad"] },
      later: { command: ["true"], needs: ["after"] },
      other: { command: ["sh", "-c", "echo fine"] },
    },
  });
  const ran = await runMuster(["run", file, "-i", "local"]);
  t.equal(ran.code, 3);
  t.match(ran.out, /p: partly done; run the same command again to resume: 1 of 5 steps done/);
  t.match(ran.out, /bad: +failed, .*: exit code 7\n +no such survivor/);
  t.match(ran.out, /missing: +failed, .*: it did not write \{out\}\/x/);
  t.match(ran.out, /after: +blocked: it needs bad\n +later: +blocked: it needs after/);
  shop.write("fail/p.yaml", shop.read("fail/p.yaml").replace("exit 7", "exit 8"));
  t.match(await runMuster(["run", file, "-i", "local"]), {
    code: 65,
    err: /holds a run of another pipeline:\n +step bad has changed/,
  });
});

t.test("nothing runs if a step is invalid", async (t) => {
  const file = shop.write(
    "invalid/p.yaml",
    "steps:\n  first: {command: [touch, ran]}\n  second: {provision: [ramdsik]}\n",
  );
  const ran = await runMuster(["run", file, "-i", "local"]);
  t.equal(ran.code, 65);
  t.match(ran.err, /p\.yaml:3:23: steps\.second: there is no playbook "ramdsik"\n +did you mean "ramdisk"\?/);
  t.equal((await runMuster(["validate", file])).code, 65);
  t.notOk(existsSync(join(shop.folder, "invalid/ran")) || existsSync(join(shop.folder, "invalid/runs")));
});

t.test("all processes of a command are ended after its timeout, also where its coordinator was killed", async (t) => {
  const command = ["sh", "-c", "(while :; do echo x >> beats; sleep 0.1; done) & wait"];
  const within = (timeout: string) => shop.write("long/p.yaml", { steps: { a: { command, timeout } } });
  const file = within("1s");
  const beats = () => (existsSync(join(shop.folder, "long/beats")) ? shop.read("long/beats").length : 0);
  t.match((await run(file)).out, /it ran longer than 1 s/);
  const then = beats();
  await new Promise((r) => setTimeout(r, 400));
  t.equal(beats(), then, "nothing of it is left");
  within("10m");
  const killed = startMuster(["run", file, "-i", "local"]);
  const end = waitForExit(killed);
  await waitUntil("it still beats", () => beats() > then);
  const held = await runMuster(["run", file, "-i", "local"]);
  t.match(held, { code: 75, err: /held by muster process/ });
  killed.kill("SIGKILL");
  await end;
  const orphan = Number(readFileSync(join(shop.folder, "long/runs/p/a/command.lock"), "utf8").split(" ")[0]);
  t.ok(existsSync(`/proc/${orphan}`));
  within("1s");
  const again = await run(file);
  t.equal(again.code, 3);
  // After it has ended, init still has to reap it.
  await waitUntil("it is ended", () => !existsSync(`/proc/${orphan}`));
});

t.test("Ctrl-C interrupts a pipeline, and the same command resumes it", async (t) => {
  const file = shop.write("stop/p.yaml", {
    steps: {
      a: { command: ["sh", "-c", "echo x >> ran; true"] },
      b: { command: ["sh", "-c", "until [ -e go ]; do touch waits; sleep 0.1; done"], needs: ["a"] },
    },
  });
  const first = startMuster(["run", file, "-i", "local"]);
  const firstEnded = waitForExit(first);
  await waitUntil("the command runs", () => existsSync(join(shop.folder, "stop/waits")));
  first.kill("SIGINT");
  const interrupted = await firstEnded;
  t.equal(interrupted.code, 130, interrupted.err);
  t.match(interrupted.out, /b: +interrupted/);
  shop.write("stop/go", "");
  t.equal((await run(file)).code, 0);
  t.equal(shop.read("stop/ran"), "x\n");
});

t.test("a run directory that is a file, or of another kind of run, is rejected and not changed", async (t) => {
  const pipeline = shop.write("kinds/p.yaml", { steps: { a: { command: ["true"] } } });
  const job = shop.write("kinds/j.yaml", { kind: "matrix", matrix: { n: [0, 1] }, command: ["true"], args: [] });
  for (const file of [pipeline, job])
    t.match(await run(file, "--out", pipeline), {
      code: 3,
      err: /cannot write to the run directory \S+: it is a file and not a folder\n\s+Move the file away/,
    });
  const outs = { [pipeline]: join(shop.folder, "kinds/of-pipeline"), [job]: join(shop.folder, "kinds/of-job") };
  for (const [file, out] of Object.entries(outs)) t.equal((await run(file, "--out", out)).code, 0);
  t.match(await run(pipeline, "--out", outs[job]!), { code: 65, err: /of-job holds a run of a job\n/ });
  t.match(await run(job, "--out", outs[pipeline]!), { code: 65, err: /of-pipeline holds a run of a pipeline\n/ });
});

t.test("a pipeline that only looks at nodes looks again", async (t) => {
  const inventory = shop.write("look/inventory.yaml", {
    nodes: { here: { connection: "local", slots: 1 } },
    manifests: { a: { value: 1, in: [{ file: `${shop.folder}/look/conf.json`, pointer: "/a" }] } },
  });
  const file = shop.write("look/p.yaml", { steps: { a: { verify: ["manifest-sync"] } } });
  shop.write("look/conf.json", { a: 1 });
  const look = () => runMuster(["run", file, "-i", inventory]);
  t.match(await look(), { code: 0, out: /complete/ });
  shop.write("look/conf.json", { a: 2 });
  t.match(await look(), { code: 2, out: /a: drift/ });
  shop.write("look/conf.json", { a: 1 });
  const again = await look();
  t.equal(again.code, 0);
  t.notMatch(again.out, /already/);
});

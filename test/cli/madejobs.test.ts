import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { committedChunks } from "../faults/checks.js";
import { waitUntil } from "../lab/waituntil.js";
import { type MusterResult, runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

const run = (file: string, ...words: string[]) => runMuster(["run", file, "-i", "local", "--json", ...words]);
const statesOf = (ran: MusterResult): Record<string, string> =>
  Object.fromEntries(JSON.parse(ran.out).steps.map((one: { step: string; state: string }) => [one.step, one.state]));

/** Counts how often a program has run: each run appends a character to a file outside of the project. */
const ran = (folder: string, what: string) =>
  existsSync(join(shop.folder, "counts", folder, what)) ? shop.read(`counts/${folder}/${what}`).length : 0;

/** Writes a project whose command step makes a jobs file of `count` jobs; their script imports a module beside it. */
function makeProject(name: string, count: number): void {
  const counts = join(shop.folder, "counts", name);
  shop.write(`counts/${name}/range`, [0, count]);
  shop.write(
    `${name}/prepare.py`,
    `import json, sys
numbers = range(*json.load(open("${counts}/range")))
open("${counts}/prepare", "a").write("x")
entry = lambda n: {"job_id": f"job-{n}", "script": "work.py", "args": [str(n), "../../${name}", "--output", f"scores/{n}.json"]}
json.dump({"jobs": [entry(n) for n in numbers]}, open(sys.argv[1] + "/jobs.json", "w"), indent=2)
`,
  );
  shop.write(
    `${name}/work.py`,
    `import json, os, sys, helper
open("${counts}/" + sys.argv[1], "a").write("x")
helper.wait(sys.argv[1])
os.makedirs("scores", exist_ok=True)
json.dump(helper.score(int(sys.argv[1])), open(sys.argv[4], "w"))
`,
  );
  shop.write(
    `${name}/helper.py`,
    `import os, time
def score(n): return n * n
def wait(n):
    while n == os.environ.get("WAIT_FOR") and not os.path.exists("${counts}/go"): time.sleep(0.05)
`,
  );
}

const createSteps = (set: Record<string, string> = {}) => ({
  prepare: { command: ["python3", "prepare.py", "{out}"], outputs: ["jobs.json"] },
  scoring: { job: "prepare/jobs.json", set },
  best: {
    command: ["sh", "-c", "cat {in}/one {in}/all/scores/* > {out}/best"],
    inputs: { one: "scoring/scores/2.json", all: "scoring" },
    outputs: ["best"],
  },
});

t.test("a job that a step makes runs with its project, and what follows takes its outputs", async (t) => {
  makeProject("plain", 4);
  const file = shop.write("plain/p.yaml", { steps: createSteps() });
  const validated = await runMuster(["validate", file]);
  t.match(validated, { code: 0, out: /step scoring: its job is made by step prepare; not known yet/ });
  const plan = await runMuster(["run", file, "-i", "local", "--plan"]);
  t.match(
    plan.out,
    /scoring: job prepare\/jobs\.json, after prepare\n {4}its job is made by step prepare; not known yet\n/,
  );
  const first = await run(file);
  t.equal(first.code, 0, first.err + first.out);
  t.equal(shop.read("plain/runs/p/best/results/best"), "40149");
  t.same(
    shop.results("plain/runs/p/scoring").map(({ chunk }) => chunk),
    ["job-0", "job-1", "job-2", "job-3"],
  );
  const again = await run(file);
  t.match(JSON.parse(again.out), { already: true, state: "complete" });
  const known = await runMuster(["run", file, "-i", "local", "--plan"]);
  t.match(known.out, /scoring: .*\n {4}p\.scoring: 4 units/, "the run that would be resumed has the job");
  const fresh = await runMuster(["run", file, "-i", "local", "--plan", "--fresh"]);
  t.match(fresh.out, /not known yet/);
});

t.test("folder names where the paths of a job start, and its project", async (t) => {
  makeProject("apart/code", 3);
  shop.write("apart/code/pyproject.toml", "");
  const { prepare, scoring, best } = createSteps();
  prepare.command = ["sh", "-c", "cd code && python3 prepare.py {out}"];
  const file = shop.write("apart/p.yaml", { steps: { prepare, scoring: { ...scoring, folder: "code" }, best } });
  const first = await run(file);
  t.equal(first.code, 0, first.err + first.out);
  t.equal(shop.read("apart/runs/p/best/results/best"), "4014");
  shop.write("apart/jobs/plain.yaml", {
    kind: "matrix",
    matrix: { n: [0, 1] },
    command: ["python3", "-c", "import helper; open('o', 'w').write(str(helper.score(3)))"],
    args: [],
    outputs: ["o"],
  });
  const ordinary = shop.write("apart/q.yaml", { steps: { a: { job: "jobs/plain.yaml", folder: "code" } } });
  t.equal((await run(ordinary)).code, 0, "of a job file that lies elsewhere, too");
  t.equal(shop.read("apart/runs/q/a/results/n=0/o"), "9");
});

t.test("killed between the steps and within a made job: nothing runs twice", async (t) => {
  makeProject("kill", 4);
  const file = shop.write("kill/p.yaml", { steps: createSteps({ "env.WAIT_FOR": "3" }) });
  const chunks = () => ["0", "1", "2", "3"].map((n) => ran("kill", n));
  // The end of prepare, then the start of scoring.
  for (const point of ["step-ended", "step-begun"]) {
    const killed = await runMuster(["run", file, "-i", "local"], { env: { MUSTER_KILL_AT: point } });
    t.equal(killed.code, null, `${point}: it was killed`);
    t.same([ran("kill", "prepare"), ...chunks()], [1, 0, 0, 0, 0], point);
  }
  const within = startMuster(["run", file, "-i", "local"]);
  const end = waitForExit(within);
  await waitUntil("all but the last chunk are committed", () => {
    const scoring = join(shop.folder, "kill/runs/p/scoring");
    return (
      existsSync(join(scoring, "journal.ndjson")) && committedChunks(scoring).length === 3 && ran("kill", "3") === 1
    );
  });
  within.kill("SIGKILL");
  await end;
  shop.write("counts/kill/go", "");
  for (const point of ["step-done", "step-ended"]) {
    const killed = await runMuster(["run", file, "-i", "local"], { env: { MUSTER_KILL_AT: point } });
    t.equal(killed.code, null, `scoring, ${point}: it was killed`);
  }
  const last = await run(file);
  t.equal(last.code, 0, last.err + last.out);
  t.same([ran("kill", "prepare"), ...chunks()], [1, 1, 1, 1, 1]);
  t.equal(shop.read("kill/runs/p/best/results/best"), "40149");
});

t.test("an invalid job fails its step, with what muster validate says of it", async (t) => {
  mkdirSync(join(shop.folder, "invalid"), { recursive: true });
  shop.write("invalid/ok.py", "");
  const cases: [string, string, RegExp][] = [
    [
      "text",
      '{"jobs": [\n  {"script": "ok.py", "args": []},]}',
      /jobs\.json:2:35: this is not JSON: a value is expected here/,
    ],
    [
      "key",
      '{"jobs": [{"script": "ok.py", "args": []}],\n "needs": {"vendr": "amd"}}',
      /jobs\.json:2:12: unknown key "vendr" in needs\n.*did you mean "vendor"\?/,
    ],
    [
      "script",
      '{"jobs": [\n  {"script": "oj.py", "args": []}]}',
      /jobs\.json:2:14: jobs\[0\]\.script: "oj\.py" does not exist\n.*did you mean "ok\.py"\?/,
    ],
    ["kind", '{"steps": {}}', /jobs\.json:1:2: is a pipeline, not a job/],
    ["empty", "", /jobs\.json:1:1: is empty/],
    [
      "range",
      '{"kind": "range", "range": [0, 5], "script": "ok.py",\n "enough": 6}',
      /jobs\.json:2:12: enough: the job has 5 units, fewer than 6/,
    ],
  ];
  for (const [name, text, message] of cases) {
    const source = shop.write(`invalid/${name}.txt`, text);
    const file = shop.write(`invalid/${name}.yaml`, {
      steps: {
        prepare: { command: ["cp", `${name}.txt`, "{out}/jobs.json"], outputs: ["jobs.json"] },
        scoring: { job: "prepare/jobs.json" },
        after: { command: ["touch", "after"], needs: ["scoring"] },
        other: { command: ["true"] },
      },
    });
    const failed = await runMuster(["run", file, "-i", "local"]);
    t.equal(failed.code, 3, name);
    const [, why = ""] = /scoring: +failed, \S+ s: ((?:.|\n)*)Step prepare has made this file\./.exec(failed.out) ?? [];
    t.match(why, message, name);
    t.match(failed.out, /after: +blocked: it needs scoring\n +other: +complete/, name);
    const beside = shop.write("invalid/jobs.json", text);
    const validated = await runMuster(["validate", beside]);
    const plain = (lines: string, path: string) => lines.replaceAll(path, "").replace(/\n +/g, "\n").trim();
    // As a file of its own a pipeline is validated as one.
    const expected = name === "kind" ? ":1:2: is a pipeline, not a job\nname a job file" : plain(validated.err, beside);
    t.equal(
      plain(why, join(shop.folder, `invalid/runs/${name}/prepare/results/jobs.json`)),
      expected,
      `${name}: ${source}`,
    );
    t.equal((await run(file)).code, 3, "the same command comes to the same end");
    t.match(await runMuster(["run", file, "-i", "local", "--plan"]), { code: 65, err: message }, name);
  }
  t.notOk(existsSync(join(shop.folder, "invalid/after")));
});

t.test("options that do not fit a made job fail its step", async (t) => {
  shop.write("options/jobs.txt", '{"kind": "matrix", "matrix": {"n": [1, 3]}, "command": ["true"], "args": ["{n}"]}');
  const prepare = { command: ["cp", "jobs.txt", "{out}/jobs.json"], outputs: ["jobs.json", "data"] };
  prepare.command = ["sh", "-c", "cp jobs.txt {out}/jobs.json; touch {out}/data"];
  const cases: [object, RegExp][] = [
    [{ set: { speed: 3 } }, /p\.yaml:\d+:\d+: steps\.scoring: --set speed: the job has no parameter or key "speed"/],
    [{ range: [0, 3] }, /p\.yaml:\d+:\d+: steps\.scoring: --range is for jobs of kind: range/],
    [{ enough: 3 }, /p\.yaml:\d+:\d+: steps\.scoring\.enough: the job has 2 units, fewer than 3/],
    [{ inputs: { x: "prepare/data" } }, /p\.yaml:\d+:\d+: steps\.scoring\.inputs: the job has no input "x"/],
  ];
  for (const [keys, message] of cases) {
    const file = shop.write("options/p.yaml", { steps: { prepare, scoring: { job: "prepare/jobs.json", ...keys } } });
    const failed = await runMuster(["run", file, "-i", "local", "--fresh"]);
    t.match(failed, { code: 3, out: message });
  }
});

t.test("a jobs file without jobs completes its step with zero chunks", async (t) => {
  for (const [name, text] of [
    ["jobs.json", '{"jobs": []}'],
    ["jobs.ndjson", "\n"],
  ] as const) {
    shop.write(`zero/${name}.txt`, text);
    const file = shop.write(`zero/${name}.yaml`, {
      steps: {
        prepare: { command: ["cp", `${name}.txt`, `{out}/${name}`], outputs: [name] },
        scoring: { job: `prepare/${name}`, when: "changed" },
        all: {
          command: ["sh", "-c", "cat {in}/lines; ls {in}/all > {out}/list"],
          inputs: { all: "scoring", lines: "scoring/results.ndjson" },
          outputs: ["list"],
        },
        one: { command: ["touch", "one"], inputs: { one: "scoring/scores/1.json" } },
      },
    });
    const first = await runMuster(["run", file, "-i", "local"]);
    t.equal(first.code, 3, first.err);
    t.match(first.out, /scoring: complete, 0 chunks/);
    t.match(first.out, /one: +failed, \S+ s: step scoring has no output "scores\/1\.json"\n +It has produced none\./);
    const again = await run(file);
    t.match(statesOf(again), { prepare: "complete", scoring: "complete", all: "complete", one: "failed" });
    const fresh = await run(file, "--fresh");
    t.match(statesOf(fresh), { scoring: "unchanged", all: "complete" });
    const beside = shop.write(`zero/${name}`, text);
    t.equal((await runMuster(["run", beside, "-i", "local"])).code, 65, "as a job of its own it stays an error");
  }
  t.notOk(existsSync(join(shop.folder, "zero/one")));
});

t.test("when: changed looks at what the made job would do", async (t) => {
  makeProject("changed", 2);
  const { prepare, scoring } = createSteps();
  const file = shop.write("changed/p.yaml", { steps: { prepare, scoring: { ...scoring, when: "changed" } } });
  t.equal((await run(file)).code, 0);
  t.match(statesOf(await run(file, "--fresh")), { prepare: "complete", scoring: "unchanged" });
  shop.write("counts/changed/range", [1, 3]);
  t.match(statesOf(await run(file, "--fresh")), { scoring: "complete" });
  t.same([ran("changed", "0"), ran("changed", "1"), ran("changed", "2")], [1, 2, 1]);
  const only = await run(file, "--fresh", "--only", "scoring");
  t.match(statesOf(only), { prepare: "taken over", scoring: "unchanged" });
});

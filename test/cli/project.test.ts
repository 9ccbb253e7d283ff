import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { committedChunks } from "../faults/checks.js";
import { findProgram } from "../lab/requirements.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 0 });

/** A project of several files, as people have them, and a jobs file as the Python coordinators have it. */
function writeScoring(name: string): string {
  shop.write(
    `${name}/full_scoring_worker.py`,
    `import json, sys
from survivor_scorer import score
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
offset = json.load(open("conf/settings.json"))["offset"]
with open("scratch.log", "a") as log: log.write("x")
result = [score(one) + offset for one in json.load(open(options["--survivors"]))]
json.dump([result, open("scratch.log").read()], open(options["--output"], "w"))
`,
  );
  shop.write(`${name}/survivor_scorer.py`, "from lib.twice import twice\ndef score(one): return twice(one) + 1\n");
  shop.write(`${name}/lib/__init__.py`, "");
  shop.write(`${name}/lib/twice.py`, "from . import factor\ndef twice(one): return factor.FACTOR * one\n");
  shop.write(`${name}/lib/factor.py`, "FACTOR = 2\n");
  shop.write(`${name}/conf/settings.json`, { offset: 100 });
  const ids = [1, 2, 3, 4, 5, 6];
  for (const id of ids) shop.write(`${name}/chunk_000${id}.json`, [id, 10]);
  const jobs = ids.map((id) => ({
    job_id: `scoring_chunk_000${id}`,
    script: "full_scoring_worker.py",
    args: ["--survivors", `chunk_000${id}.json`, "--output", `results/chunk_000${id}.json`],
    gpu_id: 0,
  }));
  return shop.write(`${name}/scoring_jobs.json`, { jobs });
}

t.test(
  "a jobs file whose script imports modules, and reads files beside it, runs with nothing added",
  { skip },
  async (t) => {
    const file = writeScoring("scoring");
    const ran = await runMuster(["run", file, "-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    for (const id of [1, 2, 3, 4, 5, 6])
      t.same(shop.json(`scoring/runs/scoring_jobs/results/results/chunk_000${id}.json`), [
        [100 + 2 * id + 1, 121],
        "x",
      ]);
    for (const node of lab.nodes)
      t.equal(existsSync(join(node.root, "root/.muster")), false, `no file is left on ${node.name}`);
  },
);

t.test("a resumed run uses the project that it began with, and names changed files", { skip }, async (t) => {
  const job = shop.write("begun/job.json", {
    kind: "matrix",
    matrix: { n: [0, 12] },
    script: "w.py",
    args: ["{n}"],
    outputs: ["r.txt"],
  });
  shop.write("begun/w.py", "import sys, helper\nhelper.wait(sys.argv)\nopen('r.txt', 'w').write(helper.TEXT)\n");
  const helper = (text: string) =>
    `import os, time\nTEXT = "${text}"\ndef wait(argv):\n    while int(argv[1]) > 5 and not os.path.exists("/var/tmp/go"): time.sleep(0.05)\n`;
  shop.write("begun/helper.py", helper("old"));
  shop.write("begun/unrelated.txt", "one");
  const first = startMuster(["run", job, "-i", inventory]);
  const ended = waitForExit(first);
  const run = join(shop.folder, "begun/runs/job");
  await waitUntil("half of it is committed", () => existsSync(run) && committedChunks(run).length >= 6);
  first.kill("SIGKILL");
  await ended;
  shop.write("begun/helper.py", helper("new"));
  shop.write("begun/unrelated.txt", "two");
  for (const node of lab.nodes) writeFileSync(join(node.root, "var/tmp/go"), "");
  const second = await runMuster(["run", job, "-i", inventory]);
  t.equal(second.code, 0, second.err);
  t.match(second.err, /project files changed since this run started: helper\.py, unrelated\.txt\..*--fresh/);
  const texts = Array.from({ length: 12 }, (_, n) => readFileSync(join(run, `results/n=${n}/r.txt`), "utf8"));
  t.same([...new Set(texts)], ["old"]);
  const fresh = await runMuster(["run", job, "-i", inventory, "--fresh"]);
  t.equal(fresh.code, 0, fresh.err);
  t.equal(shop.read("begun/runs/job-2/results/n=0/r.txt"), "new");
  const again = await runMuster(["run", job, "-i", inventory]);
  t.match(again, { code: 0, out: /already complete/, err: /job-2 was started later, with --fresh\..* --out \S*job-2/ });
  for (const node of lab.nodes) rmSync(join(node.root, "var/tmp/go"));
});

t.test("a damaged snapshot is named, and nothing is computed from it", { skip }, async (t) => {
  const ran = join(lab?.nodes[0]?.root ?? "", "var/tmp/ran");
  const job = shop.write("hurt/job.json", {
    kind: "tasks",
    script: "w.py",
    needs: { nodes: ["node1"] },
    retry: { attempts: 1 },
    tasks: [{ id: "one", outputs: ["r"] }],
  });
  shop.write("hurt/w.py", "import sys; open('/var/tmp/ran', 'a').write('x'); sys.exit(3)\n");
  t.equal((await runMuster(["run", job, "-i", inventory])).code, 3);
  t.equal(readFileSync(ran, "utf8"), "x");
  const run = join(shop.folder, "hurt/runs/job");
  const archive = readFileSync(join(run, "project.tar.gz"));
  for (const [path, content] of [
    ["project.tar.gz", archive.subarray(0, archive.length / 2)],
    ["project.tar.gz", Buffer.from("")],
    ["project.json", Buffer.from("{}")],
  ] as const) {
    const whole = readFileSync(join(run, path));
    writeFileSync(join(run, path), content);
    t.match(await runMuster(["run", job, "-i", inventory]), { code: 65, err: new RegExp(`${path}: .*\n.*--fresh`) });
    writeFileSync(join(run, path), whole);
  }
  t.equal(readFileSync(ran, "utf8"), "x", "nothing has run");
  t.equal((await runMuster(["run", job, "-i", inventory])).code, 3);
  t.equal(readFileSync(ran, "utf8"), "xx", "and it continues once it is restored");
  rmSync(ran);
});

t.test("a project without any file of its own is none", { skip }, async (t) => {
  const job = shop.write("empty/job.json", { kind: "tasks", command: ["echo", "hi"], tasks: [{ id: "one" }] });
  for (const out of [/complete: 1 chunk/, /already complete/])
    t.match(await runMuster(["run", job, "-i", inventory]), { code: 0, out });
  t.equal(shop.read("empty/runs/job/logs/one.out"), "hi\n");
});

t.test("outputs may lie where the project has a link or a file", { skip }, async (t) => {
  shop.write("taken/real/x", "");
  shop.write("taken/file", "");
  symlinkSync("real", join(shop.folder, "taken/results"));
  const job = shop.write("taken/job.json", {
    kind: "tasks",
    command: ["sh", "-c", "echo one > results/r; echo two > file/r"],
    tasks: [{ id: "one", outputs: ["results/r", "file/r"] }],
  });
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
});

t.test("programs start as a job says: module, cwd, pythonpath, a script above the job file", { skip }, async (t) => {
  const folder = join(shop.folder, "launch");
  mkdirSync(folder);
  for (const [path, text] of Object.entries({
    ".project-root": "",
    "src/pkg/__init__.py": "",
    "src/pkg/__main__.py": "from . import name\nimport os\nprint(name.NAME, os.path.basename(os.getcwd()))\n",
    "src/pkg/name.py": "NAME = 'pkg'\n",
    "worker.py": "import pkg.name, os\nprint('worker', pkg.name.NAME, os.path.relpath(__file__))\n",
    "jobs/conf.txt": "conf",
    "examples/xor/data.txt": "xor",
    "tool.sh": "#!/bin/sh\ncat data.txt\n",
  }))
    shop.write(`launch/${path}`, text, path.endsWith(".sh") ? 0o755 : 0o644);
  symlinkSync("../jobs/conf.txt", join(folder, "examples/link.txt"));
  const table: [string, object, string][] = [
    ["module", { module: "pkg" }, "pkg jobs\n"],
    ["path", { module: "pkg", pythonpath: ["src"], cwd: "." }, "pkg \\d+\\n"],
    ["above", { script: "../worker.py" }, "worker pkg ../worker.py\n"],
    ["cwd", { script: "../tool.sh", cwd: "examples/xor" }, "xor"],
    ["link", { command: ["cat", "../examples/link.txt"] }, "conf"],
    ["imports", { script: "../worker.py", code: "imports" }, "worker pkg ../worker.py\n"],
  ];
  for (const [name, keys, expected] of table) {
    const job = shop.write(`launch/jobs/${name}.json`, { kind: "tasks", ...keys, tasks: [{ id: "one" }] });
    const ran = await runMuster(["run", job, "-i", inventory]);
    t.equal(ran.code, 0, `${name}: ${ran.err}`);
    t.match(shop.read(`launch/jobs/runs/${name}/logs/one.out`), new RegExp(`^${expected}$`), name);
  }
  const plan = await runMuster(["run", join(folder, "jobs/above.json"), "-i", inventory, "--plan", "-v"]);
  t.match(plan.out, /project .*launch: \d+ files.*\n {2}programs start in jobs\n {2}PYTHONPATH begins with src/);
});

t.test("what is wrong with a project is said before anything runs", async (t) => {
  shop.write("wrong/.project-root", "");
  shop.write("wrong/jobs/w.py", "");
  shop.write("wrong/src/pkg/a.py", "");
  const table: [object, RegExp][] = [
    [{ script: "w.py", cwd: "../.." }, /cwd: "..\/.." is outside the project/],
    [{ script: "w.py", cwd: "jbos" }, /cwd: the project has no folder "jbos"/],
    [{ script: "w.py", pythonpath: ["src", "lib"] }, /pythonpath\[1\]: the project has no folder "lib"/],
    [{ script: "w.py", project: "../src" }, /project: the job file is not in/],
    [{ script: "w.py", code: ["jobs", "scr/"] }, /code: "scr\/" matches no file.*\n.*did you mean "src"/],
    [{ script: "w.py", project: "none", cwd: "jobs" }, /cwd: there is no project/],
    [{ module: "pkg.b", pythonpath: ["src"] }, /has no module pkg\.b that can be started/],
    [{ module: "pkg.a", script: "w.py" }, /module: a script is given as well/],
    [{ script: "../../w.py" }, /script: "..\/..\/w.py" is outside the project/],
  ];
  for (const [keys, message] of table) {
    const job = shop.write("wrong/jobs/job.json", { kind: "tasks", ...keys, tasks: [{ id: "one" }] });
    t.match(await runMuster(["validate", job]), { code: 65, err: message });
  }
});

const lacksCompiler =
  ["cc", "make"].some((name) => findProgram(name) === undefined) && "it needs a C compiler and make";

t.test("the example project gives what a shell loop gives", { skip: lacksCompiler }, async (t) => {
  shop.example("project");
  const loop = spawnSync(join(shop.folder, "project/loop.sh"), { encoding: "utf8" });
  t.equal(loop.status, 0, loop.stderr);
  const untouched = join(shop.folder, "untouched");
  const isSource = (path: string) => !path.endsWith("/native/primes");
  cpSync(join(shop.folder, "project"), untouched, { recursive: true, filter: isSource });
  // The build's cache outlives the run, so it must not lie in the home folder of whoever runs this test.
  const here = { connection: "local", slots: 2, workdir: join(shop.folder, "work") };
  const local = shop.write("local.json", { nodes: { here } });
  const ran = await runMuster(["run", join(untouched, "job.yaml"), "-i", local]);
  t.equal(ran.code, 0, ran.err);
  t.same(JSON.parse(readFileSync(join(untouched, "runs/job/reports.json"), "utf8")), JSON.parse(loop.stdout));
});

import { writeFileSync } from "node:fs";
import t from "tap";
import { findPlainOutputs } from "../../../executor/job/directory.js";
import { loadJob } from "../../../executor/job/loadjob.js";
import { parseTemplate } from "../../../executor/job/template.js";
import { catchProblems, formatProblems } from "../../schemas/problems.js";
import { jobs } from "./jobfixture.js";

const TASKS = "kind: tasks\ndirectory: ~/proj\nscript: bin/w.py\n";
const RANGE = "kind: range\nrange: [0, 10]\ndirectory: ~/proj\nscript: w.py\n";

t.test("a job with a directory stages no code, and looks for no script here", (t) => {
  const load = jobs(t);
  const job = load(`${TASKS}inputs: [data]\ntasks: [{id: a, args: ["{out}/data/a.json"]}, {id: b, script: run.sh}]\n`);
  t.equal(job.directory, "~/proj");
  t.equal(job.project, undefined);
  t.match(job.chunk(0n, 1n).spec.program, { kind: "nodeScript", path: "bin/w.py", prefix: ["{python}"] });
  t.match(job.chunk(1n, 2n).spec.program, { kind: "nodeScript", path: "run.sh", prefix: [] });
  t.same(
    [...job.stagedFiles()].map(({ path }) => path),
    ["data/a.json", "data/deep/b.json"],
  );
  t.not(job.identity, load(`${TASKS.replace("proj", "other")}tasks: [{id: a}, {id: b, script: run.sh}]\n`).identity);
  t.equal(load(`${TASKS.replace("~/proj", "/srv//proj/")}tasks: [{id: a}]\n`).directory, "/srv/proj");
  t.end();
});

const REFUSALS: [what: string, text: string, problem: string, hint?: string][] = [
  [
    "a relative directory",
    `${RANGE.replace("~/proj", "proj")}`,
    '3:12 directory must be absolute, or begin with ~/, not "proj"',
  ],
  ...(["project: .", "project: none", "code: imports", "cwd: .", "pythonpath: [.]"] as const).map(
    (line): [string, string, string, string] => {
      const key = line.split(":")[0]!;
      const message = `5:1 ${key}: directory is given as well, whose programs run in a folder that is on the nodes already`;
      return [line, `${RANGE}${line}\n`, message, `remove ${key} or directory`];
    },
  ),
  [
    "one plain output of a range",
    `${RANGE}args: ["{start}"]\noutputs: [hits.json]\n`,
    '6:10 outputs: "hits.json" would be one file for all chunks, because they share ~/proj',
    "have the program write it into the attempt's own folder: give it {out}/hits.json in args",
  ],
  [
    "one plain output of a matrix",
    'kind: matrix\nmatrix: {n: [0, 3]}\ndirectory: /srv/p\nmodule: p.m\nargs: ["{n}", "{out}/other"]\noutputs: [hits.json]\n',
    '6:10 outputs: "hits.json" would be one file for all chunks, because they share /srv/p',
  ],
  [
    "one output of two tasks",
    `${TASKS}tasks: [{id: a, outputs: [x/y]}, {id: b, outputs: [./x//y]}]\n`,
    '4:51 b and a both write "x/y"',
  ],
  [
    "an absolute output",
    `${TASKS}tasks: [{id: a, outputs: [/srv/x]}]\n`,
    '4:27 tasks[0].outputs: "/srv/x" is absolute',
  ],
  [
    "an output that is the script",
    `${TASKS}tasks: [{id: a, outputs: [bin/w.py]}]\n`,
    '4:26 tasks[0]: "bin/w.py" is both read and written',
  ],
  [
    "an arg that looks for an input in the directory",
    `${TASKS}inputs: [data/a.json]\ntasks: [{id: a, args: [--in=data/a.json]}]\n`,
    '5:23 args: "data/a.json" is one of inputs, which lie in {out}, not in directory',
    "write {out}/data/a.json",
  ],
  [
    "a script outside",
    `${TASKS.replace("bin/w.py", "../w.py")}tasks: [{id: a}]\n`,
    '3:9 script: "../w.py" contains ".."',
  ],
  ["an absolute script", `${TASKS.replace("bin/w.py", "/w.py")}tasks: [{id: a}]\n`, '3:9 script: "/w.py" is absolute'],
  ["a folder as script", `${TASKS.replace("bin/w.py", "bin/")}tasks: [{id: a}]\n`, '3:9 script: "bin/" is a folder'],
];

t.test("what does not fit a directory is refused", (t) => {
  const load = jobs(t);
  for (const [what, text, problem, hint] of REFUSALS) {
    const problems = catchProblems(() => load(text));
    t.ok(formatProblems(problems).includes(problem), `${what}: ${formatProblems(problems).join("; ")}`);
    if (hint !== undefined)
      t.ok(
        problems.some((one) => one.hint === hint),
        `${what}: ${problems.map((one) => one.hint)}`,
      );
  }
  t.end();
});

t.test("an output lies below {out} where args name it, or a folder above it, there", (t) => {
  const table: [args: string[], isPlain: boolean][] = [
    [[], true],
    [["x.json", "{out}/other.json"], true],
    [["r/x.json"], true],
    [["{out}/r/x.json"], false],
    [["--output={out}/r/x.json"], false],
    [["{out}/r/./x.json"], false],
    [["{out}"], false],
    [["{out}/"], false],
    [["{out}/r"], false],
    [["{out}/r/x"], true],
    [["{out}/r/x.json.gz"], true],
    [["prog > {out}/r/x.json; echo"], false],
    [["cd {out} && prog"], false],
    [["--work={out}", "--output", "r/x.json"], true],
    [["--work={out}", "--output=r/x.json"], true],
  ];
  for (const [texts, isPlain] of table) {
    const args = texts.map((text) => parseTemplate(text, new Set(["out"])).template);
    t.same(findPlainOutputs({ args, outputs: ["r/x.json"] }), isPlain ? ["r/x.json"] : [], texts.join(" "));
  }
  t.end();
});

t.test("a jobs file names scripts, files and outputs of the directory", (t) => {
  const folder = t.testdir({ "data.json": "1" });
  const entry = { script: "score.py", args: ["--in", "data.json", "--output", "results/1.json"] };
  const content = { directory: "~/distributed_prng_analysis", jobs: [{ job_id: "j1", ...entry }] };
  writeFileSync(`${folder}/jobs.json`, JSON.stringify(content));
  const job = loadJob(`${folder}/jobs.json`);
  const { spec } = job.chunk(0n, 1n);
  t.match(spec, { program: { kind: "nodeScript", path: "score.py" }, inputs: [], outputs: ["results/1.json"] });
  t.same(findPlainOutputs(spec), ["results/1.json"]);
  writeFileSync(`${folder}/jobs.json`, JSON.stringify({ project: ".", ...content }));
  t.match(formatProblems(catchProblems(() => loadJob(`${folder}/jobs.json`))), [/project: directory is given as well/]);
  t.end();
});

import { writeFileSync } from "node:fs";
import t, { type Test } from "tap";
import { loadJob } from "../../../executor/job/loadjob.js";
import { listResultPaths } from "../../../executor/job/resultpath.js";
import { catchProblems, formatProblems } from "../../schemas/problems.js";

const RANGE = "kind: range\nrange: [0, 10]\nscript: w.py\n";
const TASKS = "kind: tasks\nscript: w.py\n";

/** Loads a job in the folder `jobs` of a project, whose script lies beside it. */
function load(test: Test, text: string, options = {}) {
  const folder = test.testdir({ ".project-root": "", out: {}, jobs: { "w.py": "", "data.csv": "1" } });
  writeFileSync(`${folder}/jobs/job.yaml`, text);
  return { folder, read: () => loadJob(`${folder}/jobs/job.yaml`, options) };
}

t.test("outputs are files, stdout, folders and globs", async (t) => {
  const text = `${RANGE}outputs: [stdout, r.json, ../out/x.png, frames/, "*.srt", {glob: "a/**/*.t", at_least: 0, at_most: 9}, {folder: b}]\nappend: [log.txt]\n`;
  const { spec } = load(t, text).read().chunk(0n, 10n);
  t.same(spec.outputs, ["r.json", "../out/x.png", "log.txt"]);
  t.equal(spec.takesStdout, true);
  t.same(spec.appended, ["log.txt"]);
  t.match(spec.found, [
    { written: "frames/", base: "frames", atLeast: 1 },
    { written: "*.srt", base: ".", depth: 1, atLeast: 1 },
    { written: "a/**/*.t", base: "a", atLeast: 0, atMost: 9 },
    { written: "b/", base: "b", atLeast: 1 },
  ]);
  t.same(load(t, `${RANGE}outputs: [./stdout]\n`).read().chunk(0n, 1n).spec.outputs, ["stdout"]);
});

t.test("a task inherits what it leaves out, and results have their places", async (t) => {
  const job = load(
    t,
    `${TASKS}outputs: [stdout]\nappend: [all.txt]\ntasks: [{id: a}, {id: b, outputs: [../out/b, x/]}, {id: c, append: []}]\n`,
  ).read();
  const chunks = [0n, 1n, 2n].map((unit) => job.chunk(unit, unit + 1n));
  t.same(
    chunks.map((chunk) => listResultPaths(job, chunk)),
    [["a/stdout"], ["out/b"], ["c/stdout"]],
  );
  t.same(
    chunks.map(({ spec }) => spec.appended),
    [["all.txt"], ["all.txt"], undefined],
  );
  t.same([job.appended, job.findsOutputs], [["all.txt"], true]);
});

t.test("an input that is an output is published beside its source, unless sources may be replaced", async (t) => {
  const text = `${TASKS}results: .\ntasks: [{id: a, inputs: [data.csv], outputs: [data.csv, r.json]}]\n`;
  const { folder, read } = load(t, text);
  const job = read();
  t.same(job.results, { folder: `${folder}/jobs`, overwrite: false });
  const chunk = job.chunk(0n, 1n);
  t.same(listResultPaths(job, chunk), ["data.csv", "r.json"]);
  const layout = { ...job, protectedFolder: `${folder}/jobs` };
  t.same(listResultPaths(layout, chunk), ["data.csv.new", "r.json"]);
});

t.test("reports outputs that cannot be, with their positions", async (t) => {
  const table: [text: string, problems: string[]][] = [
    [`${RANGE}outputs: [stdout, stdout]\n`, ['4:19 outputs: "stdout" appears twice']],
    [`${RANGE}outputs: [stdout, ./stdout]\n`, ['4:10 a chunk has two outputs "stdout"']],
    [`${RANGE}outputs: [a/, ./a/]\n`, ['4:15 outputs: "./a/" appears twice']],
    [`${RANGE}outputs: [/abs/]\n`, ['4:11 outputs: "/abs/" is absolute']],
    [`${RANGE}outputs: ["../../*.x"]\n`, ['4:11 outputs: "../../*.x" is outside the project']],
    [`${RANGE}outputs: ["[z-a]*"]\n`, ['4:11 outputs: "[z-a]*" is not a valid glob']],
    [`${RANGE}outputs: ["{out}/*.x"]\n`, ['4:11 outputs: "{out}/*.x" is relative to {out} already']],
    [`${RANGE}outputs: ["f/{start}.x"]\n`, ['4:11 outputs: placeholders are not replaced in "f/{start}.x"']],
    [
      `${RANGE}outputs: ["frames/*.{png,jpg}"]\n`,
      ['4:11 outputs: "frames/*.{png,jpg}" has alternatives in braces, which are not expanded'],
    ],
    [`${RANGE}outputs: ["r.{a,b}"]\n`, ['4:11 outputs: "r.{a,b}" has alternatives in braces, which are not expanded']],
    [
      `${RANGE}outputs: [{glob: "[[:digit:]]*"}]\n`,
      ['4:18 outputs: "[[:digit:]]*" has the class [:digit:], which globs here do not have'],
    ],
    [`${RANGE}outputs: [{at_least: 1}]\n`, ["4:11 outputs: an entry needs either folder or glob"]],
    [`${RANGE}outputs: [{glob: "*", folder: x}]\n`, ["4:11 outputs: an entry needs either folder or glob"]],
    [`${RANGE}outputs: [{glob: "*", at_most: 0}]\n`, ["4:32 outputs[0].at_most must be >= 1, not 0"]],
    [`${RANGE}outputs: [{glob: "*", at_least: 3, at_most: 2}]\n`, ["4:11 outputs: at_least 3 is more than at_most 2"]],
    [
      `${RANGE}append: [a.sqlite]\n`,
      ['4:10 append: "a.sqlite" is an SQLite database, which cannot be joined by appending'],
    ],
    [`${RANGE}outputs: [a]\nappend: [a]\n`, ['4:10 a chunk has two outputs "a"']],
    [
      `${RANGE}tty: true\noutputs: [stdout]\n`,
      ["4:6 tty: outputs has stdout, but on a terminal what a program prints is mixed with its errors"],
    ],
    [`${RANGE}outputs: [a, stdout]\ncollect: lines\n`, ["5:10 collect: lines needs exactly one output a chunk, not 2"]],
    [`${RANGE}outputs: [a/]\ncollect: lines\n`, ["5:10 collect: lines needs one file of JSON a chunk, or stdout"]],
    [
      `${RANGE}outputs: [a/]\naggregate: {from: a/, as: concat, to: all}\n`,
      ['5:19 aggregate.from: "a/" stands for several files, and one of each chunk can be combined'],
    ],
    [
      `${RANGE}outputs: [a]\naggregate: {from: stdout, as: concat, to: all}\n`,
      ['5:19 aggregate.from: "stdout" is not one of outputs'],
    ],
    [`${RANGE}outputs: [a]\nlimits: {files: 0}\n`, ["5:17 limits.files must be >= 1, not 0"]],
    [`${RANGE}outputs: [a]\nresults: {overwrite: true}\n`, ['5:10 results has no key "folder"']],
    [`${RANGE}outputs: [a]\nresults: w.py\n`, ["5:10 results: FOLDER/jobs/w.py is a file and not a folder"]],
    [`${TASKS}tasks: [{id: a, outputs: [a/stdout, stdout]}]\n`, ['3:26 a has two outputs "a/stdout"']],
    [`${TASKS}tasks: [{id: a, outputs: [x]}, {id: b, outputs: [../jobs/x]}]\n`, ['3:49 b and a both write "x"']],
  ];
  for (const [text, problems] of table) {
    const { folder, read } = load(t, text);
    t.same(
      formatProblems(catchProblems(read)).map((one) => one.replace(folder, "FOLDER")),
      problems,
      text,
    );
  }
});

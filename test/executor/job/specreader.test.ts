import t from "tap";
import { args, jobs } from "./jobfixture.js";

const SCRIPT = "script: w.py\n";
const COMMAND = 'command: [sh, -c, "{chunk}", x]\n';

/** Returns what one task runs for every combination of the job's and the task's keys; `first` is its program. */
const TABLE: [job: string, task: string, first: string, args: string[]][] = [
  [SCRIPT, "", "w.py", []],
  [SCRIPT, ", args: [own]", "w.py", ["own"]],
  [SCRIPT, ", args: []", "w.py", []],
  [SCRIPT, ", command: [echo, -n]", "echo", ["-n"]],
  [SCRIPT, ", command: [echo, -n], args: [own]", "echo", ["-n", "own"]],
  [`${SCRIPT}args: [all]\n`, "", "w.py", ["all"]],
  [`${SCRIPT}args: [all]\n`, ", args: [own]", "w.py", ["own"]],
  [`${SCRIPT}args: [all]\n`, ", args: []", "w.py", []],
  [`${SCRIPT}args: [all]\n`, ", script: v.py", "v.py", []],
  [`${SCRIPT}args: [all]\n`, ", script: v.py, args: [own]", "v.py", ["own"]],
  [`${SCRIPT}args: [all]\n`, ", command: [echo, -n]", "echo", ["-n"]],
  [COMMAND, "", "sh", ["-c", "one", "x"]],
  [COMMAND, ", args: [own]", "sh", ["-c", "one", "x", "own"]],
  [COMMAND, ", args: []", "sh", ["-c", "one", "x"]],
  [COMMAND, ", command: [echo, -n]", "echo", ["-n"]],
  [COMMAND, ", command: [echo, -n], args: [own]", "echo", ["-n", "own"]],
  [COMMAND, ", script: w.py", "w.py", []],
  [COMMAND, ", script: w.py, args: [own]", "w.py", ["own"]],
  [`${COMMAND}args: [all]\n`, "", "sh", ["-c", "one", "x", "all"]],
  [`${COMMAND}args: [all]\n`, ", args: [own]", "sh", ["-c", "one", "x", "own"]],
  [`${COMMAND}args: [all]\n`, ", args: []", "sh", ["-c", "one", "x"]],
  [`${COMMAND}args: [all]\n`, ", command: [echo, -n]", "echo", ["-n"]],
  [`${COMMAND}args: [all]\n`, ", script: w.py", "w.py", []],
  ["args: [all]\n", ", script: w.py", "w.py", []],
  ["args: [all]\n", ", command: [echo], args: [own]", "echo", ["own"]],
];

t.test("args of a task replace those of the job; the words of a command stay with their program", async (t) => {
  const load = jobs(t);
  for (const [job, task, first, wanted] of TABLE) {
    const chunk = load(`kind: tasks\n${job}tasks: [{id: one${task}}]\n`).chunk(0n, 1n);
    const { program } = chunk.spec;
    const what = `${job}with {id: one${task}}`;
    t.equal(
      program.kind === "script" ? program.script.path : program.kind === "command" && program.command.join(" "),
      first,
      what,
    );
    t.same(args(chunk), wanted, what);
  }
});

t.test("the words of a command precede args for a range and a matrix, too", async (t) => {
  const load = jobs(t);
  for (const kind of ["kind: range\nrange: [7, 8]\n", "kind: matrix\nmatrix: {n: [7]}\n"]) {
    const job = load(`${kind}${COMMAND}args: [all]\n`);
    const chunk = job.chunk(job.first, job.first + 1n);
    t.same(args(chunk), ["-c", chunk.id, "x", "all"]);
  }
});

t.test("inputs and env are added to the job's, outputs and timeout replace them", async (t) => {
  const job = jobs(t)(`
kind: tasks
${SCRIPT}inputs: [notes.txt]
outputs: [all.txt]
env: {A: job, B: job}
timeout: 60
tasks:
  - {id: bare}
  - {id: own, inputs: [data/a.json], outputs: [own.txt], env: {B: own, C: own}, timeout: 5}
  - {id: none, inputs: [], outputs: [], env: {}}
  - {id: other, command: [echo], inputs: [data/a.json], outputs: [other.txt]}
`);
  const of = (unit: bigint) => {
    const { inputs, outputs, env, timeout } = job.chunk(unit, unit + 1n).spec;
    return { inputs: inputs.map(({ path }) => path), outputs, env, timeout };
  };
  const env = { A: "job", B: "job" };
  t.same(of(0n), { inputs: ["notes.txt"], outputs: ["all.txt"], env, timeout: 60 });
  const own = { inputs: ["notes.txt", "data/a.json"], outputs: ["own.txt"], env: { A: "job", B: "own", C: "own" } };
  t.same(of(1n), { ...own, timeout: 5 });
  t.same(of(2n), { inputs: ["notes.txt"], outputs: [], env, timeout: 60 });
  t.same(of(3n), { inputs: ["notes.txt", "data/a.json"], outputs: ["other.txt"], env, timeout: 60 });
});

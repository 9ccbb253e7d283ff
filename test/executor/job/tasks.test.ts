import t from "tap";
import { args, jobs } from "./jobfixture.js";

t.test("tasks are chunks in the order of the file", async (t) => {
  const job = jobs(t)(`
kind: tasks
script: w.py
args: [common, "{chunk}"]
inputs: [data/a.json]
env: {A: 1, B: 1}
timeout: 60
grace: 20
tasks:
  - {id: one, outputs: [results/one.json]}
  - {id: 2, args: ["{out}", 1.0], inputs: [data/deep/b.json], outputs: [results/two.json], gpu: 3, env: {B: 2}, timeout: 1m30s, grace: 1m}
  - {id: three, command: [echo, "-n", "{gpu}"], args: [x]}
`);
  t.match(job, { kind: "tasks", first: 0n, units: 3n, sizing: undefined });
  const [one, two, three] = [0n, 1n, 2n].map((unit) => job.chunk(unit, unit + 1n));
  t.same(
    [one, two, three].map((chunk) => chunk?.id),
    ["one", "2", "three"],
  );
  t.same(
    [one, two, three].map((chunk) => args(chunk!)),
    [
      ["common", "one"],
      ["/w", "1.0"],
      ["-n", "3", "x"],
    ],
  );
  t.match(one?.spec, {
    outputs: ["results/one.json"],
    env: { A: "1", B: "1" },
    timeout: 60,
    grace: 20,
    inputs: [{ path: "data/a.json" }],
  });
  t.match(two, { gpu: 3, spec: { env: { A: "1", B: "2" }, timeout: 90, grace: 60 } });
  t.same(
    two?.spec.inputs.map(({ path }) => path),
    ["data/a.json", "data/deep/b.json"],
  );
  t.match(three?.spec, { program: { kind: "command", command: ["echo"] }, outputs: [], timeout: 60 });
  t.same(job.unitsOf("2"), [1n, 2n]);
  t.equal(job.unitsOf("four"), undefined);
});

t.test("a job may leave the program to its tasks and share the rest", async (t) => {
  const job = jobs(t)("kind: tasks\nenv: {A: 1}\ninputs: [data/a.json]\ntasks: [{id: a, script: w.py}]\n");
  t.match(job.chunk(0n, 1n).spec, { env: { A: "1" }, inputs: [{ path: "data/a.json" }] });
});

t.test(
  "when tasks should begin: what each says goes before what the job says, and changes nothing about results",
  async (t) => {
    const load = jobs(t);
    const text = (rank: string) => `
kind: tasks
script: w.py
priority: 2
expect: 2m
tasks:
  - {id: a, inputs: [data]}
  - {id: b${rank}}
`;
    const job = load(text(", expect: 90, priority: -1"));
    const [a, b] = [job.chunk(0n, 1n), job.chunk(1n, 2n)];
    t.match(a, { expectedSeconds: 120, priority: undefined, spec: { inputs: [{ bytes: 1 }, { bytes: 1 }] } });
    t.match(b, { expectedSeconds: 90, priority: -1 });
    t.equal(job.priority, 2);
    t.equal(job.identity, load(text("")).identity);
    t.equal(load("kind: matrix\nscript: w.py\nexpect: 5s\nmatrix: {a: [1, 2]}\n").chunk(1n, 2n).expectedSeconds, 5);
  },
);

t.test("a task replaces parameters of the job, in what it inherits and in what it says itself", async (t) => {
  const load = jobs(t);
  const job = load(`
kind: tasks
script: w.py
params: {rate: 0.1, depth: 3}
args: ["{rate}", "{depth}", "{chunk}"]
tasks:
  - {id: a}
  - {id: b, params: {rate: 0.5}}
  - {id: c, params: {depth: 4}, args: ["{depth}"]}
`);
  const [a, b, c] = [0n, 1n, 2n].map((unit) => job.chunk(unit, unit + 1n));
  t.same(args(a!), ["0.1", "3", "a"]);
  t.same(args(b!), ["0.5", "3", "b"]);
  t.same(args(c!), ["4"]);
  t.same(
    [a, b, c].map((chunk) => chunk!.params),
    [undefined, { rate: 0.5 }, { depth: 4 }],
  );
  const text = (rate: number) =>
    `kind: tasks\nscript: w.py\nparams: {rate: 0}\ntasks: [{id: a, params: {rate: ${rate}}}]\n`;
  t.not(
    load(text(1)).identity,
    load(text(2)).identity,
    "they belong to the identity of the job, as its own parameters do",
  );
  t.throws(
    () => load("kind: tasks\nscript: w.py\nparams: {rate: 1}\ntasks: [{id: a, params: {rte: 1}}]\n"),
    /has no parameter "rte"/,
  );
});

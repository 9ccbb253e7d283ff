import t from "tap";
import type { JobOptions } from "../../../executor/job/loadjob.js";
import { catchError, catchProblems, formatProblems } from "../../schemas/problems.js";
import { args, jobs } from "./jobfixture.js";

t.test("--set and --range override keys of the job", async (t) => {
  const load = jobs(t);
  const text = "kind: range\nrange: [0, 10]\nscript: w.py\nargs: ['{p}', '{new}']\nparams: {p: 1, new: x}\n";
  const job = load(text, {
    set: { p: "0.50", "params.new": "18446744073709551615", timeout: "1m", "retry.attempts": "5", "env.A": "x: y" },
    range: [2n ** 64n, 2n ** 65n],
  });
  t.match(job, { first: 2n ** 64n, units: 2n ** 64n, retry: { attempts: 5 }, params: { new: 2n ** 64n - 1n } });
  const chunk = job.chunk(job.first, job.first + 1n);
  t.same(args(chunk), ["0.50", "18446744073709551615"]);
  t.match(chunk.spec, { timeout: 60, env: { A: "x: y" } });
  const needed = text.replace("params: {p: 1, new: x}", "");
  t.same(
    args(load(needed, { set: { p: "1", new: "2" } }).chunk(0n, 1n)),
    ["1", "2"],
    "a parameter only the command line has",
  );

  const table: [JobOptions, string[]][] = [
    [
      { set: { timeout: "3q" } },
      [
        '--set timeout: timeout must be a span of time like 500ms, 60s, 10m or 1h30m (a plain number is seconds), not "3q"',
      ],
    ],
    [{ set: { "retry.attemps": "3" } }, ['--set retry.attemps: unknown key "attemps" in retry']],
    [{ range: [5n, 5n] }, ["--range: range: [5, 5] is empty"]],
    [{ range: [5n, 1n] }, ["--range: range: [5, 1] ends before it begins"]],
    [{ range: [-5n, 1n] }, ["--range: range[0] must be a whole number of at least 0, not -5"]],
  ];
  for (const [options, problems] of table) t.same(formatProblems(catchProblems(() => load(text, options))), problems);
  t.match(
    catchError(() => load(text, { set: { timeot: "3" } })),
    { exit: 64, next: 'did you mean "timeout"?' },
  );
  t.match(
    catchError(() => load(text, { set: { "name.x": "3" } }).name),
    { exit: 65 },
  );
  t.match(
    catchError(() => load(text, { set: { "params.__proto__": "3" } })),
    { exit: 64 },
  );
  t.match(
    catchError(() => load("kind: tasks\nscript: w.py\ntasks: [{id: a}]\n", { range: [0n, 1n] })),
    { exit: 64 },
  );
});

t.test("identity: equal for jobs that compute the same, different otherwise", async (t) => {
  const load = jobs(t);
  const text = "kind: range\nrange: [0, 10]\nscript: w.py\nargs: [1]\n";
  const identity = load(text).identity;
  for (const more of [
    "timeout: 5\n",
    "retry: {attempts: 9}\n",
    "priority: 3\n",
    "name: other\n",
    "chunk: 5\n",
    "# words\n",
  ]) {
    t.equal(load(text + more).identity, identity, more);
  }
  const others = [
    text.replace("10]", "11]"),
    text.replace("[1]", "[1.0]"),
    `${text}env: {A: 1}\n`,
    `${text}params: {a: 1}\n`,
    `${text}outputs: [x]\n`,
    `${text}inputs: [data]\n`,
  ];
  t.equal(new Set([identity, ...others.map((other) => load(other).identity)]).size, 7);
});

t.test("recheck and canary, its earlier name, mean the same", async (t) => {
  const load = jobs(t);
  const text = "kind: range\nrange: [0, 10]\nscript: w.py\n";
  for (const key of ["recheck", "canary"]) {
    t.same(load(`${text}${key}: 5%\n`).recheck, { share: 0.05, tolerance: undefined }, key);
    const mapping = load(`${text}${key}: {share: 0.5, tolerance: 1e-6}\n`);
    t.same(mapping.recheck, { share: 0.5, tolerance: 1e-6 }, key);
    t.same(mapping.identity, load(text).identity, "results do not depend on it");
  }
  t.equal(load(text).recheck, undefined);
});

import t from "tap";
import { loadJob } from "../../../../executor/job/loadjob.js";
import { findIdentityChanges, generateSalt, hashEnvValues } from "../../../../executor/run/record/jobidentity.js";

const SECRETS = ["hunter2", "s3cret", "7777777"];
const RANGE = `kind: range\nrange: [0, 10]\nscript: w.py\nenv: {TOKEN: ${SECRETS[0]}, PLAIN: "1"}\n`;
const task = (id: string, more: string) => `  - {id: ${id}, ${more}}\n`;
const PARAMS = `kind: range\nrange: [0, 10]\nscript: w.py\nargs: [--n, "{sample_size}", --mode, fast, "{start}"]\noutputs: [r]\nparams: {sample_size: 500}\n`;
const TASKS = `kind: tasks\nscript: w.py\nenv: {TOKEN: ${SECRETS[0]}}\ntasks:\n${task("a", `env: {KEY: ${SECRETS[1]}}`)}${task("b", `env: {KEY: ${SECRETS[2]}}`)}`;

const jobs = new Map<string, ReturnType<typeof loadJob>>();
function job(text: string) {
  const known = jobs.get(text) ?? loadJob(`${t.testdir({ "w.py": "", "job.yaml": text })}/job.yaml`);
  jobs.set(text, known);
  return known;
}

/** The first record of a run of this job; without a salt as an older muster wrote it. */
function runOf(text: string, salt: string | undefined) {
  const { identity } = job(text);
  const stored = salt === undefined ? identity : hashEnvValues(identity, salt);
  return { e: "run" as const, id: "x", name: "x", salt, identity: stored, inputs: {} };
}

t.test("no value of env is kept, and every run directory has hashes of its own", async (t) => {
  for (const text of [RANGE, TASKS]) {
    const kept = [generateSalt(), generateSalt()].map((salt) => runOf(text, salt).identity);
    for (const one of kept) for (const secret of SECRETS) t.notOk(one.includes(secret), one);
    t.notSame(kept[0], kept[1]);
    t.match(kept[0], /"TOKEN":"[0-9a-f]{32}"/);
  }
  const twice = JSON.parse(hashEnvValues('{"env":{"A":"x","B":"x"}}', "salt")).env;
  t.not(twice.A, twice.B, "two variables of one value do not show that");
});

const CHANGES: [what: string, before: string, now: string, lines: string[]][] = [
  ["nothing", RANGE, RANGE, []],
  ["nothing in tasks", TASKS, TASKS, []],
  ["a value", RANGE, RANGE.replace(SECRETS[0]!, "other"), ["env: TOKEN differs"]],
  ["one more", RANGE, RANGE.replace("{TOKEN", "{MORE: x, TOKEN"), ["env: MORE is new"]],
  ["one less", RANGE, RANGE.replace(', PLAIN: "1"', ""), ["env: PLAIN is gone"]],
  ["all of them", RANGE, RANGE.replace(/env.*\n/, ""), ["env: TOKEN is gone", "env: PLAIN is gone"]],
  [
    "the range too",
    RANGE,
    RANGE.replace("10]", "11]").replace(SECRETS[0]!, "other"),
    ["range: [0, 10] -> [0, 11]", "env: TOKEN differs"],
  ],
  ["a task's", TASKS, TASKS.replace(SECRETS[1]!, "other"), ["tasks: a: env: KEY differs"]],
  [
    "every task's",
    TASKS,
    TASKS.replace(SECRETS[0]!, "other"),
    ["tasks: a: env: TOKEN differs", "tasks: b: env: TOKEN differs"],
  ],
  ["a task less", TASKS, TASKS.replace(/ {2}- \{id: b.*\n/, ""), ["tasks: b is gone"]],
  ["a task more", TASKS, TASKS + task("c", "gpu: 1"), ["tasks: c is new"]],
  [
    "their order",
    TASKS,
    TASKS.replace(/( {2}- \{id: a.*\n)( {2}- \{id: b.*\n)/, "$2$1"),
    ["tasks: their order has changed"],
  ],
  ["a task's arguments", TASKS, TASKS.replace("id: a,", "id: a, args: [x],"), ['tasks: a: args: "" -> x']],
  ["a parameter, in an argument too", PARAMS, PARAMS.replace("500", "400"), ["sample_size: 500 -> 400"]],
  [
    "an argument",
    PARAMS,
    PARAMS.replace("fast", "slow").replace("{start}", "{end}"),
    ["args: --mode: fast -> slow", "args: {start} -> {end}"],
  ],
  ["an output", PARAMS, PARAMS.replace("[r]", "[r, s]"), ["outputs: [r] -> [r, s]"]],
];

for (const [what, before, now, lines] of CHANGES)
  t.test(`what differs: ${what}`, async (t) => {
    for (const salt of [generateSalt(), undefined]) {
      const reported = findIdentityChanges(runOf(before, salt), job(now), {});
      t.same(reported, lines, salt === undefined ? "in an older run directory" : "under a salt");
      for (const secret of SECRETS) t.notOk(reported.join().includes(secret));
    }
  });

t.test("a changed input is a change of the job's identity", async (t) => {
  const run = { ...runOf(RANGE, generateSalt()), inputs: { a: "1", b: "2" } };
  t.same(findIdentityChanges(run, job(RANGE), { a: "1", b: "3", c: "4" }), [
    "b: its content has changed",
    "c: its content has changed",
  ]);
});

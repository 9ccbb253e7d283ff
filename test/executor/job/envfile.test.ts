import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { relative } from "node:path";
import t, { type Test } from "tap";
import { loadJob } from "../../../executor/job/loadjob.js";
import { InvalidFileError } from "../../../schemas/errors.js";

const RANGE = "kind: range\nrange: [0, 10]\nscript: w.py\n";

/** Loads a job whose `env_file`, secrets/job.env, has this content. */
function load(t: Test, content: string | Buffer, text = RANGE, named = "secrets/job.env") {
  const folder = t.testdir({ "w.py": "", secrets: {} });
  writeFileSync(`${folder}/secrets/job.env`, content, { mode: 0o600 });
  writeFileSync(`${folder}/job.yaml`, text.startsWith("{") ? text : `${text}env_file: ${named}\n`);
  return { folder, job: () => loadJob(`${folder}/job.yaml`) };
}

const envOf = (t: Test, content: string, text?: string) => load(t, content, text).job().chunk(0n, 1n).spec.env;

t.test("each line of an env_file is a variable", async (t) => {
  const table: [what: string, content: string, env: Record<string, string>][] = [
    ["nothing", "", {}],
    ["comments and empty lines", "# A=1\n\n   \n\t# B=2\nC=3\n", { C: "3" }],
    ["no line break at the end", "A=1", { A: "1" }],
    ["an empty value", "A=\n", { A: "" }],
    ["only the first = separates", "A=b=c==\n", { A: "b=c==" }],
    ["blanks around are left out", "  A =  b c \t\n", { A: "b c" }],
    ["line breaks of Windows", "A=1\r\nB=2\r\n", { A: "1", B: "2" }],
    ["quotes around a value", "A=' b '\nB=\"c # d\"\nC=''\n", { A: " b ", B: "c # d", C: "" }],
    ["quotes inside one, and nothing is expanded", `A=it's\nB=$HOME \\n \`id\`\n`, { A: "it's", B: "$HOME \\n `id`" }],
    ["# inside a value", "A=b#c # d\n", { A: "b#c # d" }],
    ["other scripts", "A=日本 é\n", { A: "日本 é" }],
  ];
  for (const [what, content, env] of table) t.same(envOf(t, content), env, what);
});

t.test("the env of a job wins over env_file, and the env of a task over both", async (t) => {
  t.same(envOf(t, "A=file\nB=file\n", `${RANGE}env: {B: job}\n`), { A: "file", B: "job" });
  const tasks = "kind: tasks\nscript: w.py\nenv: {B: job, C: job}\ntasks: [{id: a, env: {C: task, D: task}}]\n";
  t.same(envOf(t, "A=file\nB=file\n", tasks), { A: "file", B: "job", C: "task", D: "task" });
  const matrix = "kind: matrix\nscript: w.py\nmatrix: {x: [a, b]}\n";
  t.same(envOf(t, "A=file\n", matrix), { A: "file" });
  const file = '{"jobs": [{"script": "w.py"}], "env": {"B": "job"}, "env_file": "secrets/job.env"}';
  t.same(envOf(t, "A=file\nB=file\n", file), { A: "file", B: "job" });
});

t.test("resolves the path of env_file", async (t) => {
  const { folder, job } = load(t, "A=1\n");
  t.equal(job().envFile, `${folder}/secrets/job.env`);
  const { folder: other, job: again } = load(
    t,
    "A=1\n",
    RANGE,
    `"~/${relative(homedir(), `${folder}/secrets/job.env`)}"`,
  );
  t.equal(again().envFile, `${other}/secrets/job.env`, "~ is the home folder");
  const { job: absolute } = load(t, "A=1\n", RANGE, `${folder}/secrets/job.env`);
  t.same(absolute().chunk(0n, 1n).spec.env, { A: "1" });
});

t.test("warns about a file that others can read", async (t) => {
  const { folder, job } = load(t, "A=1\n");
  t.same(job().notes, []);
  for (const [mode, note] of [
    [0o640, undefined],
    [0o644, /env_file secrets\/job.env is accessible to every user of this machine \(mode 0644\): run chmod 600 /],
    [0o602, /mode 0602/],
  ] as const) {
    chmodSync(`${folder}/secrets/job.env`, mode);
    t.match(job().notes, note === undefined ? [] : [note]);
    t.equal(job().notes?.length, note === undefined ? 0 : 1);
  }
});

t.test("reports problems with file and line, and without values", async (t) => {
  const SECRET = "hunter2";
  const table: [what: string, content: string | Buffer, problems: RegExp[]][] = [
    ["no =", `A=1\n${SECRET}\n`, [/secrets\/job.env:2: is not KEY=VALUE$/]],
    [
      "a bad name",
      `${SECRET} x=1\n1${SECRET}=2\n=${SECRET}\n`,
      [/job.env:1: the name/, /job.env:2: the name/, /job.env:3: the name/],
    ],
    ["a duplicate", `A=${SECRET}\nB=1\nA=${SECRET}\n`, [/job.env:3: A appears twice/]],
    [
      "an open quote",
      `A="${SECRET}\nB='\n`,
      [/job.env:1: A has an opening quote/, /job.env:2: B has an opening quote/],
    ],
    ["a NUL", `A=${SECRET}\0\n`, [/job.env:1: A contains a NUL/]],
    [
      "no UTF-8",
      Buffer.from(`A=${SECRET}\xff\n`, "latin1"),
      [/job.yaml:4:11: env_file: "secrets\/job.env" is not UTF-8 text/],
    ],
    [
      "too large",
      `A=${SECRET.repeat(200_000)}\n`,
      [/job.yaml:4:11: env_file: "secrets\/job.env" is larger than 1 MiB/],
    ],
  ];
  for (const [what, content, problems] of table) {
    const error = refusalOf(load(t, content).job);
    const lines = error.message.split("\n").filter((line) => !line.startsWith("    "));
    t.equal(lines.length, problems.length, error.message);
    for (const [index, problem] of problems.entries()) t.match(lines[index], problem, what);
    t.notOk(error.message.includes(SECRET), what);
  }
  const { folder, job } = load(t, "", RANGE, "secrets/none.env");
  t.match(
    refusalOf(job).message,
    `${folder}/job.yaml:4:11: env_file: "secrets/none.env" does not exist (${folder}/secrets/none.env)`,
  );
  mkdirSync(`${folder}/secrets/none.env`);
  t.match(refusalOf(job).message, /env_file: "secrets\/none.env" is a folder, not a file/);
});

function refusalOf(load: () => unknown): InvalidFileError {
  try {
    load();
  } catch (error) {
    if (error instanceof InvalidFileError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

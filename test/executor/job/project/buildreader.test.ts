import t from "tap";
import { loadJob } from "../../../../executor/job/loadjob.js";
import { findIdentityChanges, hashEnvValues } from "../../../../executor/run/record/jobidentity.js";
import { catchProblems } from "../../../schemas/problems.js";
import { createFolder } from "./projectfixture.js";

const RANGE = "kind: range\nrange: [0, 10]\ncommand: [./tool]\noutputs: [hits.json, out/all.txt]\n";

const TABLE: [what: string, text: string, message: string][] = [
  ["no project", "project: none\nbuild: {command: [make]}\n", "6:8 build: there is no project"],
  ["no command", "build: {outputs: [a]}\n", '5:8 build has no key "command"'],
  ["an absolute output", "build: {command: [make], outputs: [/a]}\n", '5:36 build.outputs[0]: "/a" is absolute'],
  ["an output outside", "build: {command: [make], outputs: [../a]}\n", '5:36 build.outputs[0]: "../a" contains ".."'],
  [
    "everything",
    "build: {command: [make], outputs: [./]}\n",
    '5:36 build.outputs[0]: "./" is the working directory itself',
  ],
  ["an output twice", "build: {command: [make], outputs: [a, ./a]}\n", '5:39 build.outputs[1]: "./a" appears twice'],
  [
    "an output of the job",
    "build: {command: [make], outputs: [hits.json]}\n",
    '5:36 build.outputs[0]: the chunks of the job write "hits.json"',
  ],
  [
    "a file below an output of the job",
    "build: {command: [make], outputs: [hits.json/x]}\n",
    '5:36 build.outputs[0]: the chunks of the job write "hits.json"',
  ],
  ["another per", "build: {command: [make], per: node}\n", "5:31 build.per must be gpu"],
  ["a wrong timeout", "build: {command: [make], timeout: soon}\n", "5:35 build.timeout must be"],
  ["an unknown key", "build: {command: [make], output: [a]}\n", '5:26 unknown key "output" in build'],
];

for (const [what, text, message] of TABLE)
  t.test(`build: ${what} is reported at its position`, async (t) => {
    const folder = createFolder(t, { ".project-root": "", "job.yaml": RANGE + text });
    const problems = catchProblems(() => loadJob(`${folder}/job.yaml`));
    const [found] = problems.map((one) => `${one.line}:${one.column} ${one.message}`);
    t.equal(found?.slice(0, message.length), message);
  });

t.test("a build is read with its environment, and what was built on this machine is not copied", async (t) => {
  const text = `${RANGE}env: {A: 1, B: 2}\nbuild: {command: [make, -j, 4], outputs: [tool, lib/, "*.so"], env: {B: 3}, per: gpu}\n`;
  const folder = createFolder(t, { ".project-root": "", tool: "built here", "lib/x.c": "", "job.yaml": text });
  const job = loadJob(`${folder}/job.yaml`);
  t.same(job.build, {
    command: ["make", "-j", "4"],
    outputs: ["tool", "lib", "*.so"],
    env: { A: "1", B: "3" },
    timeoutSeconds: 1800,
    isPerGpu: true,
  });
  t.same(
    job.project?.files.map(({ path }) => path),
    [".project-root", "lib/x.c"],
  );
});

t.test("another build makes another job; the journal has no values of its environment", async (t) => {
  const load = (build: string) => {
    const folder = createFolder(t, { ".project-root": "", "job.yaml": `${RANGE}build: ${build}\n` });
    return loadJob(`${folder}/job.yaml`);
  };
  const build = "{command: [make], outputs: [tool], env: {TOKEN: hunter2}}";
  const job = load(build);
  const identity = hashEnvValues(job.identity, "salt");
  t.notMatch(identity, /hunter2/);
  t.match(JSON.parse(identity).build, { command: ["make"], outputs: ["tool"], env: { TOKEN: /^[0-9a-f]{32}$/ } });
  const run = { e: "run" as const, id: "x", name: "x", salt: "salt", identity, inputs: {} };
  t.same(findIdentityChanges(run, load(build), {}), []);
  t.same(findIdentityChanges(run, load(build.replace("}}", "}, timeout: 5s}")), {}), [], "a timeout changes no result");
  for (const other of [
    build.replace("hunter2", "other"),
    build.replace("[tool]", "[x]"),
    build.replace("[make]", "[ninja]"),
  ])
    t.match(findIdentityChanges(run, load(other), {}), [/^build/]);
});

import { writeFileSync } from "node:fs";
import t, { type Test } from "tap";
import { loadJob } from "../../../executor/job/loadjob.js";
import { renderTemplate } from "../../../executor/job/template.js";
import { parseInventory } from "../../../fleet/inventory.js";
import { parseSource } from "../../../schemas/parsesource.js";
import { catchProblems, formatProblems } from "../../schemas/problems.js";

const ROUTES = `
nodes: {a: {}}
routes:
  sieve:
    script: workers/sieve.py
    args: [--from, "{seed_start}", --to, "{seed_end}", --output, "{out}/found/{job_id}.json", "{{"]
    inputs: [workers/table.json]
  analysis: {script: workers/analysis.py, args: ["{chunk}", "{gpu}"], outputs: ["{job_id}.txt"]}
`;

function load(t: Test, jobs: unknown[] | string, routes = ROUTES) {
  const folder = t.testdir({
    "full_scoring_worker.py": "",
    "chunk_0001.json": "",
    "chunk_0002.json": "",
    results: { "chunk_0001.json": "of an earlier run" },
    cluster: { workers: { "sieve.py": "", "analysis.py": "", "table.json": "" } },
    "outside.json": "",
    inner: { "w.py": "" },
  });
  const file = `${folder}/scoring_jobs.json`;
  writeFileSync(file, typeof jobs === "string" ? jobs : JSON.stringify({ jobs }, null, "\t"));
  const inventory = parseInventory(parseSource("i.yaml", routes), `${folder}/cluster/i.yaml`);
  return loadJob(file, { inventory });
}

const args = (job: ReturnType<typeof load>, unit: bigint) =>
  job.chunk(unit, unit + 1n).spec.args.map((template) => renderTemplate(template, { gpu: "1", out: "/w" }));

t.test("a jobs file of the Python coordinators runs as it is", async (t) => {
  const job = load(
    t,
    `{"jobs": [{"job_id": "scoring_chunk_0001", "script": "full_scoring_worker.py",
      "args": ["--survivors", "chunk_0001.json", "--output", "results/chunk_0001.json", "{not} a {{placeholder}}", 0.10], "gpu_id": 0},
     {"job_id": "b/2", "script": "full_scoring_worker.py", "args": ["--survivors=chunk_0002.json", "--output=results/2.json"], "expected": [1]}]}`,
  );
  t.match(job, { name: "scoring_jobs", kind: "tasks", units: 2n });
  const chunk = job.chunk(0n, 1n);
  t.match(chunk, { id: "scoring_chunk_0001", gpu: 0, spec: { outputs: ["results/chunk_0001.json"] } });
  t.same(args(job, 0n).slice(4), ["{not} a {{placeholder}}", "0.10"]);
  t.same(
    chunk.spec.inputs.map(({ path }) => path),
    ["chunk_0001.json"],
    "its output is no input, though it lies there",
  );
  const other = job.chunk(1n, 2n);
  t.match(other, {
    id: "b%2F2",
    gpu: undefined,
    spec: { outputs: ["results/2.json"], inputs: [{ path: "chunk_0002.json" }] },
  });
  t.same(job.unitsOf("b%2F2"), [1n, 2n]);
});

t.test("expect and priority of an entry are used if they have the right types", async (t) => {
  const entry = (more: object) => ({ script: "full_scoring_worker.py", args: ["--output", Math.random()], ...more });
  const job = load(t, [entry({ expect: "1m", priority: 3 }), entry({ expect: { score: 1 }, priority: "high" })]);
  t.match(job.chunk(0n, 1n), { expectedSeconds: 60, priority: 3 });
  t.match(job.chunk(1n, 2n), { expectedSeconds: undefined, priority: undefined });
});

t.test("job types are routed by the inventory", async (t) => {
  const job = load(t, [
    { job_id: "s1", job_type: "sieve", seed_start: 0, seed_end: 4294967296, args: ["--verbose", "{x}"], gpu_id: null },
    { job_id: "a1", analysis_type: "analysis" },
    { job_id: "a2", gpu_id: 2 },
    { job_id: "own", job_type: "script", script: "full_scoring_worker.py" },
  ]);
  const wanted = ["--from", "0", "--to", "4294967296", "--output", "/w/found/s1.json", "{", "--verbose", "{x}"];
  t.same(args(job, 0n), wanted);
  t.match(job.chunk(0n, 1n).spec, {
    program: { script: { path: "workers/sieve.py" } },
    inputs: [{ path: "workers/table.json" }],
    outputs: ["found/s1.json"],
  });
  t.same(args(job, 2n), ["a2", "1"]);
  t.match(job.chunk(2n, 3n), {
    gpu: 2,
    spec: { outputs: ["a2.txt"], program: { script: { path: "workers/analysis.py" } } },
  });
  t.match(job.chunk(3n, 4n).spec.program, { script: { path: "full_scoring_worker.py" } });
});

t.test("reports invalid jobs files", async (t) => {
  const script = "full_scoring_worker.py";
  const table: [string, unknown[], string[], string?][] = [
    [
      "no route",
      [{ job_id: "a", job_type: "sive" }],
      ['5:16 jobs[0] has the type "sive", but the inventory has no route "sive"'],
      'did you mean "sieve"?',
    ],
    [
      "a key that the route needs",
      [{ job_id: "a", job_type: "sieve", seed_start: 1, seed_nd: 2 }],
      ["3:3 jobs[0] (route sieve): unknown placeholder {seed_end}"],
      "did you mean {seed_nd}? For literal braces write {{seed_end}}",
    ],
    [
      "a missing script",
      [{ job_id: "a", script: "full_scoring_workr.py" }],
      ['5:14 jobs[0].script: "full_scoring_workr.py" does not exist'],
      `did you mean "${script}"?`,
    ],
    [
      "two jobs with one output",
      [
        { job_id: "a", script, args: ["--output", "r.json"] },
        { job_id: "b", script, args: ["--output", "./r.json"] },
      ],
      ['14:12 b and a both write "r.json"'],
    ],
    [
      "an id twice",
      [
        { job_id: "a", script },
        { job_id: "a", script },
      ],
      ['8:14 the id "a" appears twice (first in line 4)'],
    ],
    [
      "an output elsewhere",
      [{ job_id: "a", script, args: ["--output", "/r.json"] }],
      ['8:5 jobs[0].args: "/r.json" is absolute'],
    ],
    [
      "an output that is the script",
      [{ job_id: "a", script, args: ["--output", script] }],
      [`6:12 jobs[0]: "${script}" is both read and written`],
    ],
  ];
  for (const [what, jobs, problems, hint] of table) {
    const got = catchProblems(() => load(t, jobs));
    t.same(formatProblems(got), problems, what);
    if (hint !== undefined) t.equal(got[0]?.hint, hint, what);
  }
});

t.test("files that args name are staged from anywhere in the project, and from nowhere else", async (t) => {
  const folder = t.testdir({
    "outside.json": "",
    project: { ".project-root": "", "above.json": "", shared: { "all.json": "" }, jobs: { "w.py": "" } },
  });
  const file = `${folder}/project/jobs/jobs.json`;
  const write = (name: string) =>
    writeFileSync(file, JSON.stringify({ jobs: [{ script: "w.py", args: [name] }], inputs: ["../shared"] }));
  write("../above.json");
  const { inputs } = loadJob(file).chunk(0n, 1n).spec;
  t.same(
    inputs.map(({ path }) => path),
    ["../shared/all.json", "../above.json"],
  );
  write("../../outside.json");
  const problems = formatProblems(catchProblems(() => loadJob(file)));
  t.same(problems, [`1:35 "../../outside.json" is a file outside ${folder}/project, so it cannot be staged`]);
});

t.test("20,000 jobs load quickly", async (t) => {
  const jobs = Array.from({ length: 20_000 }, (_, index) => ({
    job_id: `chunk_${index}`,
    script: "full_scoring_worker.py",
    args: ["--survivors", `chunk_${index}.json`, "--output", `results/${index}.json`],
  }));
  const job = load(t, jobs);
  t.equal(job.units, 20_000n);
  t.same(job.unitsOf("chunk_19999"), [19_999n, 20_000n]);
});

import { writeFileSync } from "node:fs";
import t, { type Test } from "tap";
import { type JobOptions, loadJob } from "../../../../executor/job/loadjob.js";
import { checkLimits, type LimitFindings } from "../../../../executor/schedule/plan/profilelimits.js";
import { type Inventory, loadInventory } from "../../../../fleet/inventory.js";
import { matchesAnyPattern } from "../../../../fleet/selectnodes.js";
import { formatProblems } from "../../../schemas/problems.js";

const INVENTORY = `
profiles:
  rtx3080ti: {vendor: nvidia, model: RTX 3080 Ti}
  rx6600: {vendor: amd, model: RX 6600, limits: {sample_size: {best: 450, max: 1000}, depth: {max: 8}}}
nodes:
  zeus: {host: 192.0.2.1, profile: rtx3080ti, gpus: 2}
  rig:  {host: 192.0.2.2, profile: rx6600, gpus: 8}
  rigb: {host: 192.0.2.3, profile: rx6600, gpus: 8}
`;

function judge(t: Test, job: string, options: JobOptions = {}, file = "job.yaml"): LimitFindings {
  const folder = t.testdir({ "w.py": "", "inventory.yaml": INVENTORY, [file]: job });
  writeFileSync(`${folder}/${file}`, job);
  const inventory: Inventory = loadInventory(`${folder}/inventory.yaml`);
  const loaded = loadJob(`${folder}/${file}`, { inventory, ...options });
  return checkLimits(loaded, inventory.nodes, matchesAnyPattern);
}

const RANGE = "kind: range\nrange: [0, 9]\nscript: w.py\noutputs: [o]\n";
const MATRIX = "kind: matrix\nscript: w.py\noutputs: [o]\n";
const TASKS = "kind: tasks\nscript: w.py\n";

const TOO_LARGE: [what: string, job: string, place: string][] = [
  ["a parameter", `${RANGE}params: {sample_size: 2000}`, "5:23 params.sample_size: 2000"],
  ["a parameter in quotes", `${RANGE}params: {sample_size: "1001"}`, "5:23 params.sample_size: 1001"],
  ["one of two", `${RANGE}params: {sample_size: 450, depth: 8.5}`, "5:35 params.depth: 8.5"],
  ["a value of a matrix", `${MATRIX}matrix: {sample_size: [350, 2000, 450]}`, "4:29 matrix.sample_size: 2000"],
  ["a range of a matrix", `${MATRIX}matrix: {sample_size: [0, 1002]}`, "4:27 matrix.sample_size: 1001"],
  ["an argument", `${RANGE}args: [--sample-size, 1500]`, "5:23 --sample-size: 1500"],
  ["an argument with =", `${RANGE}args: [--sample_size=1500]`, "5:8 --sample_size: 1500"],
  [
    "a parameter of a task",
    `${TASKS}params: {sample_size: 1}\ntasks:\n  - {id: a, outputs: [a], params: {sample_size: 1500}}`,
    "5:49 params.sample_size: 1500",
  ],
  [
    "an argument of a task",
    `${TASKS}tasks:\n  - {id: a, outputs: [a], args: [--sample-size, 99]}\n  - {id: b, outputs: [b], args: [--sample-size, 4000]}`,
    "5:49 --sample-size: 4000",
  ],
];

for (const [what, job, place] of TOO_LARGE)
  t.test(`above the safe maximum of a profile: ${what}`, async (t) => {
    const { problems } = judge(t, job);
    t.equal(problems.length, 1);
    t.ok(
      formatProblems(problems)[0]?.startsWith(`${place} exceeds the safe maximum of profile rx6600`),
      `${formatProblems(problems)}`,
    );
    t.match(problems[0]!.message, "rig, rigb");
    const best = place.includes("depth")
      ? "set depth to 8, the safe maximum"
      : "set sample_size to 450, the best measured value";
    t.match(problems[0]!.hint, best);
    t.match(problems[0]!.hint, "`needs` (zeus can run it)");
    t.notMatch(`${problems[0]!.message} ${problems[0]!.hint}`, /fewer|GPUs/);
  });

t.test("a jobs file of the Python coordinators", async (t) => {
  const job = (size: string) => ({
    job_id: `j${size}`,
    script: "w.py",
    args: ["--sample-size", size, "--output", `r${size}`],
  });
  const text = JSON.stringify({ jobs: [job("450"), job("2000")] });
  t.match(judge(t, text, {}, "jobs.json").problems, [{ message: /--sample-size: 2000 exceeds/ }]);
});

t.test("a value from --set is reported as such", async (t) => {
  const { problems } = judge(t, `${RANGE}params: {sample_size: 1}`, { set: { sample_size: "2000" } });
  t.match(problems, [{ file: "--set sample_size", message: /^params.sample_size: 2000/ }]);
});

t.test("a value between best and max is a note", async (t) => {
  const { problems, notes } = judge(t, `${RANGE}params: {sample_size: 1000}`);
  t.same(problems, []);
  t.equal(notes.length, 1);
  t.match(notes[0], /params.sample_size: 1000 exceeds the best measured value of profile rx6600 \(rig, rigb\): 450/);
});

const FINE: [string, string][] = [
  ["the best value", `${RANGE}params: {sample_size: 450}`],
  ["too much, but not for these nodes", `${RANGE}params: {sample_size: 2000}\nneeds: {vendor: nvidia}`],
  ["too much, but not for this node", `${RANGE}params: {sample_size: 2000}\nneeds: {nodes: [zeus]}`],
  ["no number", `${RANGE}params: {sample_size: all}`],
  ["a placeholder", `${RANGE}params: {sample_size: 450}\nargs: [--sample-size, "{sample_size}"]`],
  ["another name", `${RANGE}params: {batch: 100000}\nargs: [--samples, 9000]`],
];

for (const [what, job] of FINE)
  t.test(`no problem and no note: ${what}`, async (t) => t.same(judge(t, job), { problems: [], notes: [] }));

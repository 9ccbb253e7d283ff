import t from "tap";
import { parseInventory } from "../../../fleet/inventory.js";
import { parseSource } from "../../../schemas/parsesource.js";
import { catchProblems, formatProblems } from "../../schemas/problems.js";
import { jobs } from "./jobfixture.js";

const RANGE = "kind: range\nrange: [0, 10]\nscript: w.py\n";
const TASKS = "kind: tasks\nscript: w.py\n";

t.test("needs.gpus of a job, a task and an entry of a jobs file", async (t) => {
  const load = jobs(t);
  const uniform = load(`${RANGE}needs: {gpus: 2}\n`);
  t.same(uniform.gpuCounts, { fewest: 2, most: 2 });
  t.equal(uniform.chunk(0n, 5n).spec.gpus, 2);
  t.not(uniform.work, load(RANGE).work, "rates on two GPUs are learned apart");
  t.equal(uniform.identity, load(RANGE).identity, "results do not depend on it");
  t.equal(load(`${RANGE}needs: {gpus: 1}\n`).gpuCounts, undefined);
  const mixed = load(
    `${TASKS}needs: {gpus: 2}\ntasks: [{id: a}, {id: b, needs: {gpus: 1}}, {id: c, needs: {gpus: 4}}]\n`,
  );
  t.same([mixed.gpuCounts, mixed.needs.gpus], [{ fewest: 1, most: 4 }, 1]);
  t.same(
    [0n, 1n, 2n].map((unit) => mixed.chunk(unit, unit + 1n).spec.gpus),
    [2, undefined, 4],
  );
  const some = load(`${TASKS}tasks: [{id: a}, {id: b, needs: {gpus: 2}}]\n`);
  t.same([some.gpuCounts, some.needs.gpus], [{ fewest: 1, most: 2 }, undefined], "the others may use CPU slots");
  const entries = load("needs: {gpus: 2}\njobs: [{script: w.py}, {script: w.py, needs: {gpus: 3}}]\n");
  t.same([entries.gpuCounts, entries.needs.gpus], [{ fewest: 2, most: 3 }, 2]);
});

const TABLE: [what: string, text: string, problems: string[]][] = [
  [
    "a warm worker",
    `${RANGE}worker: warm\nneeds: {gpus: 2}\n`,
    ["5:15 needs.gpus is 2, and a warm worker has one GPU"],
  ],
  [
    "a pin of a task",
    `${TASKS}tasks:\n  - {id: a, needs: {gpus: 2}, gpu: 1}\n`,
    ["4:36 tasks[0].gpu pins it to one GPU, and needs.gpus is 2"],
  ],
  [
    "a pin in a jobs file",
    "needs: {gpus: 2}\njobs:\n  - {job_id: a, script: w.py, gpu_id: 1}\n",
    ["3:39 jobs[0].gpu_id pins it to one GPU, and needs.gpus is 2"],
  ],
  [
    "a task without a GPU among others with one",
    `${TASKS}needs: {gpus: 1}\ntasks:\n  - {id: a, needs: {gpus: 0}}\n`,
    ["5:27 tasks[0].needs.gpus is 0, and the job's is 1: its chunks run either on GPUs or on CPU slots"],
  ],
  ["too many", `${RANGE}needs: {gpus: 65}\n`, ["4:15 needs.gpus must be <= 64, not 65"]],
  ["no GPU at all", `${RANGE}needs: {gpus: 2, vendor: none}\n`, ["4:15 needs.gpus is 2, and needs.vendor is none"]],
];

for (const [what, text, problems] of TABLE)
  t.test(`needs.gpus is refused with ${what}`, async (t) => {
    t.same(formatProblems(catchProblems(() => jobs(t)(text))), problems);
  });

t.test("more GPUs than any node has, where the inventory says how many there are", async (t) => {
  const load =
    (nodes: string, gpus: number, more = "") =>
    () =>
      jobs(t)(`${RANGE}needs: {gpus: ${gpus}${more}}\n`, {
        inventory: parseInventory(
          parseSource("i.yaml", `profiles: {p: {vendor: amd}, q: {vendor: nvidia}}\nnodes: {${nodes}}\n`),
          "/i.yaml",
        ),
      });
  const two = "a: {profile: p, gpus: 2}, b: {profile: p, gpus: 1}, c: {}, d: {profile: q, gpus: 4}";
  t.same(formatProblems(catchProblems(load(two, 5))), ["4:15 needs.gpus is 5, and no node has more than 4 (d)"]);
  t.same(formatProblems(catchProblems(load(two, 3, ", vendor: amd"))), [
    "4:15 needs.gpus is 3, and no node has more than 2 (a)",
  ]);
  t.equal(load(two, 4)().needs.gpus, 4);
  t.equal(
    load("a: {profile: p}, b: {profile: p, gpus: 1}", 3)().needs.gpus,
    3,
    "a node that does not say it may have them",
  );
});

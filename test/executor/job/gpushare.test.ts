import t from "tap";
import { catchProblems, formatProblems } from "../../schemas/problems.js";
import { jobs } from "./jobfixture.js";

const RANGE = "kind: range\nrange: [0, 10]\nscript: w.py\n";
const TASKS = "kind: tasks\nscript: w.py\n";

t.test("needs.gpu_share is one part of a GPU", async (t) => {
  const load = jobs(t);
  for (const [text, share] of [
    ["1", 1],
    ["0.5", 1 / 2],
    ["50%", 1 / 2],
    ["0.33", 1 / 3],
    ["0.333", 1 / 3],
    ["0.25", 1 / 4],
    ["0.167", 1 / 6],
    ["0.1", 1 / 10],
  ] as const) {
    const { needs } = load(`${RANGE}needs: {gpu_share: ${text}}\n`);
    t.equal(needs.gpuShare, share, text);
    t.equal(needs.gpus, 1, "its chunks run on GPUs only");
  }
  const whole = load(RANGE);
  const half = load(`${RANGE}needs: {gpu_share: 0.5}\n`);
  t.equal(whole.needs.gpuShare, undefined);
  t.equal(half.identity, whole.identity, "results do not depend on it");
});

t.test("a job with chunks for several GPUs shares none", async (t) => {
  const load = jobs(t);
  t.equal(load(`${RANGE}needs: {gpus: 2}\n`).needs.gpuShare, 1);
  t.equal(load(`${TASKS}tasks: [{id: a}, {id: b, needs: {gpus: 2}}]\n`).needs.gpuShare, 1);
});

for (const [what, text, problems] of [
  [
    "that does not divide a GPU",
    `${RANGE}needs: {gpu_share: 0.4}\n`,
    ["4:20 needs.gpu_share is 0.4, which does not divide a GPU"],
  ],
  [
    "of less than a sixteenth",
    `${RANGE}needs: {gpu_share: 0.05}\n`,
    ["4:20 needs.gpu_share is 0.05, and at most 16 chunks share a GPU"],
  ],
  [
    "beside several GPUs",
    `${RANGE}needs: {gpu_share: 0.5, gpus: 2}\n`,
    ["4:31 needs.gpus is 2, and needs.gpu_share is 0.5"],
  ],
  [
    "beside a task with several GPUs",
    `${TASKS}needs: {gpu_share: 50%}\ntasks:\n  - {id: a, needs: {gpus: 3}}\n`,
    ["5:27 tasks[0].needs.gpus is 3, and needs.gpu_share is 50%"],
  ],
  ["without a GPU", `${RANGE}needs: {gpu_share: 0.5, gpus: 0}\n`, ["4:31 needs.gpus is 0, and needs.gpu_share is 0.5"]],
  [
    "without a vendor",
    `${RANGE}needs: {gpu_share: 0.5, vendor: none}\n`,
    ["4:20 needs.gpu_share is 0.5, and needs.vendor is none"],
  ],
  [
    "of more than a GPU",
    `${RANGE}needs: {gpu_share: 2}\n`,
    ["4:20 needs.gpu_share must be a share above 0 and up to 100%, like 1% (or 0.01), not 2"],
  ],
] as const)
  t.test(`a share ${what} is refused`, async (t) => {
    t.same(formatProblems(catchProblems(() => jobs(t)(text))), problems);
  });

t.test("the shares that are suggested are accepted", async (t) => {
  const load = jobs(t);
  const suggest = (share: number) => catchProblems(() => load(`${RANGE}needs: {gpu_share: ${share}}\n`))[0]?.hint;
  t.equal(suggest(0.4), "use 0.5 for 2 at a time on each GPU, or 0.333 for 3");
  t.equal(suggest(0.7), "use 1 for 1 at a time on each GPU, or 0.5 for 2");
  t.equal(suggest(0.01), "use 0.0625 or more");
  for (let sharers = 1; sharers < 16; sharers++) {
    const [, fewer, more] =
      /^use (\S+) for .*, or (\S+) for/.exec(suggest((1 / sharers + 1 / (sharers + 1)) / 2) ?? "") ?? [];
    t.equal(load(`${RANGE}needs: {gpu_share: ${fewer}}\n`).needs.gpuShare, 1 / sharers);
    t.equal(load(`${RANGE}needs: {gpu_share: ${more}}\n`).needs.gpuShare, 1 / (sharers + 1));
  }
});

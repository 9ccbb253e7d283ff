import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { loadJob } from "../../../executor/job/loadjob.js";
import { projectRoot } from "../../lab/project.js";
import { catchProblems, formatProblems } from "../../schemas/problems.js";

/** Runs its arguments. Prints the peak memory of the program in MiB. */
const MEASURE = `
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
`;

interface Task {
  id: string;
  args: (string | number)[];
  outputs: string[];
}

const COMMAND = ["/bin/sh", "-c", 'echo "$1" >"$2"', "sh"];
const HEAD = `kind: tasks\ncommand: ${JSON.stringify(COMMAND)}\ntasks:\n`;
const list = (items: unknown[]) => items.map((item) => `\n      - ${item}`).join("");

/** By file extension: how it is written, and the line in which a task begins, counted from 0. */
const FORMATS: Record<string, { write: (tasks: Task[]) => string; line: (task: number) => number }> = {
  "block.yaml": {
    write: (tasks) =>
      HEAD +
      tasks.map((one) => `  - id: ${one.id}\n    args:${list(one.args)}\n    outputs:${list(one.outputs)}\n`).join(""),
    line: (task) => 4 + 6 * task,
  },
  "flow.yaml": {
    write: (tasks) => HEAD + tasks.map((one) => `  - ${JSON.stringify(one)}\n`).join(""),
    line: (task) => 4 + task,
  },
  json: {
    write: (tasks) =>
      `{"kind": "tasks", "command": ${JSON.stringify(COMMAND)}, "tasks": [\n${tasks.map((one) => JSON.stringify(one)).join(",\n")}]}`,
    line: (task) => 2 + task,
  },
  ndjson: {
    write: (tasks) => [{ kind: "tasks", command: COMMAND }, ...tasks].map((one) => JSON.stringify(one)).join("\n"),
    line: (task) => 2 + task,
  },
};

const tasks = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ id: `t${n}`, args: [n, `r/${n}.txt`], outputs: [`r/${n}.txt`] }));

t.test("a job of thousands of tasks is equal in every format", async (t) => {
  const folder = t.testdir({});
  const identities = Object.entries(FORMATS).map(([ending, { write }]) => {
    const file = join(folder, `job.${ending}`);
    writeFileSync(file, write(tasks(3000)));
    const job = loadJob(file);
    t.equal(job.units, 3000n);
    t.same(job.unitsOf("t2999"), [2999n, 3000n]);
    t.same(job.chunk(2999n, 3000n).spec.args, [["-c"], ['echo "$1" >"$2"'], ["sh"], ["2999"], ["r/2999.txt"]]);
    return job.identity;
  });
  t.equal(new Set(identities).size, 1);
});

t.test("reports the position of a problem in a late task", async (t) => {
  const folder = t.testdir({});
  for (const [ending, { write, line }] of Object.entries(FORMATS)) {
    const file = join(folder, `bad.${ending}`);
    const some = tasks(3000);
    some[2800]!.outputs = ["r/7.txt"];
    some[2900]!.id = "t2899";
    writeFileSync(file, write(some));
    const problems = formatProblems(catchProblems(() => loadJob(file))).map((problem) =>
      problem.replace(/:\d+ /, ": "),
    );
    t.same(
      problems,
      [
        `${line(2800) + (ending === "block.yaml" ? 5 : 0)}: t2800 and t7 both write "r/7.txt"`,
        `${line(2900)}: the id "t2899" appears twice (first in line ${line(2899)})`,
      ],
      ending,
    );
  }
});

t.test("20,000 tasks take little memory in every format", async (t) => {
  const folder = t.testdir({});
  const launcher = readFileSync(join(projectRoot(), "muster"), "utf8");
  const flags = /^exec node (.*) "\$root/m.exec(launcher)![1]!.split(" ");
  for (const [ending, { write }] of Object.entries(FORMATS)) {
    const file = join(folder, `many.${ending}`);
    writeFileSync(file, write(tasks(20_000)));
    const argv = [process.execPath, ...flags, join(projectRoot(), "dist/bundle/cli/main.js"), "validate", file];
    const ran = spawnSync("python3", ["-c", MEASURE, ...argv], { encoding: "utf8" });
    t.equal(ran.status, 0, ran.stderr);
    const peakMiB = Number(ran.stdout);
    t.ok(peakMiB < 160, `${ending}: ${peakMiB} MiB`);
  }
});

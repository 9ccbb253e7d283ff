import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Situation } from "./situation.js";

/** A job of tasks of one shell script each, which writes the task's output to $0. */
function tasks(scripts: Record<string, string>, more: object = {}): object {
  const list = Object.entries(scripts).map(([id, script]) => ({
    id,
    command: ["sh", "-c", script, `${id}.txt`],
    outputs: [`${id}.txt`],
  }));
  return { kind: "tasks", retry: { attempts: 1 }, halt: { alike: 0 }, tasks: list, ...more };
}

function run(title: string, job: unknown, ...words: string[]): Situation {
  return { title, files: { "job.json": job }, steps: [["run", "job.json", ...words]] };
}

const FINE = "echo 1 > $0";

/** A run goes wrong, or not as expected. */
export const RUNS: Situation[] = [
  run("all is well", tasks({ a: FINE, b: FINE })),
  run("a plan of work whose duration nobody knows", tasks({ a: FINE, b: FINE }), "--plan"),
  run("a program that fails", tasks({ a: FINE, b: "echo 'no such table: seeds' >&2; exit 3" })),
  run("a program that fails in every chunk", tasks({ a: "exit 3", b: "exit 3", c: "exit 3" })),
  run("a program that does not exist", { ...tasks({}), tasks: [{ id: "a", command: ["sieev"], outputs: ["r.txt"] }] }),
  run("a program that the shell does not find", tasks({ a: "sieev --fast" })),
  run("a program that ends without its output", tasks({ a: "echo 1 > A.txt" })),
  run("a folder where an output should be", tasks({ a: "mkdir $0" })),
  run("a program that crashes", tasks({ a: "kill -SEGV $$" })),
  run("a program that is killed", tasks({ a: "kill -KILL $$" })),
  run("a program that runs too long", tasks({ a: "sleep 60" }, { timeout: "300ms" })),
  run("an output that is too large", tasks({ a: "head -c 100000 /dev/zero > $0" }, { limits: { output: "10KiB" } })),
  run("a printed result that is no JSON", {
    ...tasks({}),
    collect: "lines",
    tasks: [{ id: "a", command: ["echo", "hello"], outputs: ["stdout"] }],
  }),
  run("enough is done", tasks({ a: FINE, b: FINE, c: "exit 1" }, { enough: "50%" })),
  {
    title: "a module that lies beside the script but is not copied",
    files: {
      "job.yaml": "kind: range\nrange: [0, 1]\nscript: w.py\nproject: none\noutputs: [r.txt]\n",
      "w.py": "import tools\n",
      "tools.py": "",
    },
    steps: [["run", "job.yaml"]],
  },
  {
    title: "a syntax error in a module",
    files: {
      "job.yaml": "kind: range\nrange: [0, 90]\nscript: w.py\n",
      "w.py": "import tools\n",
      "tools.py": "def f(:\n",
    },
    steps: [["run", "job.yaml"]],
  },
  {
    title: "a script that fails everywhere",
    files: {
      "job.yaml": "kind: range\nrange: [0, 9000]\nscript: w.py\nchunk: {base: 10}\n",
      "w.py": "import sys\nopen('seeds.csv')\n",
    },
    steps: [
      ["run", "job.yaml"],
      ["status", "runs/job"],
    ],
  },
  {
    title: "the same run again",
    files: { "job.json": tasks({ a: FINE }) },
    steps: [
      ["run", "job.json", "-q"],
      ["run", "job.json"],
    ],
  },
  {
    title: "another job in the same run directory",
    files: { "job.json": tasks({ a: FINE }) },
    steps: [
      ["run", "job.json", "-q"],
      (folder) => writeFileSync(join(folder, "job.json"), JSON.stringify(tasks({ a: "echo 2 > $0" }))),
      ["run", "job.json"],
    ],
  },
  {
    title: "an input that has changed since",
    files: { "job.json": tasks({ a: "cat data.csv > $0" }, { inputs: ["data.csv"] }), "data.csv": "1\n" },
    steps: [["run", "job.json", "-q"], (folder) => writeFileSync(join(folder, "data.csv"), "2\n"), ["run", "job.json"]],
  },
  {
    title: "a file of somebody else where a result belongs",
    files: { "job.json": tasks({ a: FINE }, { results: "." }), "a.txt": "mine\n" },
    steps: [["run", "job.json"]],
  },
  {
    title: "a run directory where there is a file",
    files: { "job.json": tasks({ a: FINE }), runs: "" },
    steps: [["run", "job.json"]],
  },
  {
    title: "a damaged journal",
    files: { "job.json": tasks({ a: FINE, b: "exit 1" }) },
    steps: [
      ["run", "job.json", "-q"],
      (folder) => appendFileSync(join(folder, "runs/job/journal.ndjson"), '{"n":9,"e":"done"}\n{"n":10}\n'),
      ["status", "runs/job"],
      ["run", "job.json"],
    ],
  },
  {
    title: "results that somebody has removed",
    files: { "job.json": tasks({ a: FINE }) },
    steps: [["run", "job.json", "-q"], (folder) => rmSync(join(folder, "runs/job/results/a.txt")), ["run", "job.json"]],
  },
  {
    title: "status, logs, report and cancel of what is not there",
    files: { "job.json": tasks({ a: FINE }) },
    steps: [["status"], ["status", "nosuch"], ["logs", "nosuch", "a"], ["report"], ["report", "nosuch"], ["cancel"]],
  },
  {
    title: "logs of a chunk that is not there",
    files: { "job.json": tasks({ alpha: `echo hello; ${FINE}` }) },
    steps: [
      ["run", "job.json", "-q"],
      ["logs", "job", "alhpa"],
      ["logs", "job", "alpha"],
    ],
  },
  {
    title: "cancelling a run that is complete",
    files: { "job.json": tasks({ a: FINE }) },
    steps: [
      ["run", "job.json", "-q"],
      ["cancel", "job"],
    ],
  },
  {
    title: "a pipeline whose second step fails",
    files: {
      "p.yaml":
        "steps:\n  make: {command: [touch, x]}\n  train: {command: [sh, -c, 'echo no data >&2; exit 4'], needs: [make]}\n  rank: {command: [touch, y], needs: [train]}\n",
    },
    steps: [
      ["run", "p.yaml"],
      ["status", "runs/p"],
    ],
  },
];

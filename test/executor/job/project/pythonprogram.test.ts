import t from "tap";
import type { Program, ProgramLaunch } from "../../../../executor/job/job.js";
import { findPythonProgram, type PythonProgram } from "../../../../executor/job/project/pythonprogram.js";

const FOLDERS = { job: "jobs", cwd: "src", pythonPath: [] };
const script = { source: "/p/jobs/main.py", path: "main.py" };

function command(...words: (string | { name: string })[]): ProgramLaunch {
  const [first, ...args] = words;
  return { program: { kind: "command", command: [first as string] }, args: args.map((word) => [word]) };
}
const run = (program: Program): ProgramLaunch => ({ program });
const file = (path: string) => ({ kind: "file", path }) as const;

const TABLE: [what: string, launch: ProgramLaunch, expected: PythonProgram | undefined][] = [
  [
    "a script under the node's Python",
    run({ kind: "script", script, prefix: ["{python}"] }),
    { interpreter: ["{python}"], entry: file("jobs/main.py") },
  ],
  [
    "a script with a first line",
    run({ kind: "script", script, prefix: ["/usr/bin/env", "python3"] }),
    { interpreter: ["/usr/bin/env", "python3"], entry: file("jobs/main.py") },
  ],
  ["a script of a shell", run({ kind: "script", script, prefix: ["/bin/sh"] }), undefined],
  ["a binary", run({ kind: "script", script, prefix: [] }), undefined],
  [
    "a module",
    run({ kind: "module", module: "tool.x" }),
    { interpreter: ["{python}"], entry: { kind: "module", module: "tool.x" } },
  ],
  ["a command", command("python3", "-u", "a/b.py", "1"), { interpreter: ["python3"], entry: file("src/a/b.py") }],
  [
    "a module of a command",
    command("/usr/bin/python3.12", "-m", "tool"),
    { interpreter: ["/usr/bin/python3.12"], entry: { kind: "module", module: "tool" } },
  ],
  ["a file of the node", command("python3", "/opt/x.py"), undefined],
  ["code on the command line", command("python3", "-c", "print(1)", "x.py"), undefined],
  ["a file that differs from chunk to chunk", command("python3", { name: "task" }), undefined],
  ["no file", command("python3"), undefined],
  ["another program", command("pythonista", "x.py"), undefined],
  ["a script on the nodes", run({ kind: "nodeScript", path: "x.py", prefix: ["{python}"] }), undefined],
];
for (const [what, launch, expected] of TABLE)
  t.test(what, async (t) => t.same(findPythonProgram(launch, FOLDERS), expected));

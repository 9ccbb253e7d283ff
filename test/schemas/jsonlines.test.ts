import t from "tap";
import { parseSource } from "../../schemas/parsesource.js";
import { catchProblems, formatProblems } from "./problems.js";

const READ: [what: string, text: string, value: unknown][] = [
  [
    "a job and its tasks",
    '{"kind": "tasks", "name": "x"}\n{"id": 1}\n{"id": 2}',
    { name: "x", tasks: [{ id: 1 }, { id: 2 }] },
  ],
  ["tasks alone", '{"id": 1}\r\n\n  {"id": 2}\n\n', { tasks: [{ id: 1 }, { id: 2 }] }],
  ["a job without tasks", '{"kind": "tasks"}\n', { tasks: [] }],
];

t.test("lines are the tasks of a job, or the entries of a jobs file", async (t) => {
  for (const [what, text, value] of READ)
    t.same(parseSource("x.ndjson", text).value, { kind: "tasks", ...(value as object) }, what);
  const range = '{"kind": "range", "range": [0, 18446744073709551616]}\n';
  t.same(parseSource("x.jsonl", range).value, { kind: "range", range: [0, 18446744073709551616n] });
  const jobs = parseSource("x.jsonl", '{"job_id": "a", "args": [0.10]}\n{"script": "w.py"}\n');
  t.same(jobs.value, { jobs: [{ job_id: "a", args: [0.1] }, { script: "w.py" }] });
  t.equal(jobs.text(["jobs", 0, "args", 0]), "0.10");
});

t.test("positions are those of the lines", async (t) => {
  const source = parseSource(
    "x.ndjson",
    '{"kind": "tasks", "2": 0, "1": 0}\n{"id": 1}\n\n {"id": 2, "args": [7, 8]}\n',
  );
  t.match(source.positionOfKey(["1"]), { line: 1, column: 27 });
  t.match(source.positionOf(["tasks", 0]), { line: 2, column: 1 });
  t.match(source.positionOfKey(["tasks", 1, "args"]), { line: 4, column: 12 });
  t.match(source.positionOf(["tasks", 1, "args", 1]), { line: 4, column: 24 });
});

t.test("a file that is not JSON lines is rejected", async (t) => {
  const table: [what: string, text: string, problems: string[]][] = [
    ["nothing", " \n", ["1:1 is empty"]],
    ["a list", "[1]\n", ['1:1 this is not JSON: a line is a mapping: a "{" is expected here']],
    ["two in a line", '{"id": 1} {"id": 2}\n', ["1:10 this is not JSON: nothing may follow the value in its line"]],
    ["a torn line", '{"id": 1}\n{"id": ', ["2:8 this is not JSON: a value is expected here"]],
    [
      "tasks twice",
      '{"kind": "tasks", "tasks": []}\n',
      ['1:1 the lines below are the tasks, so this line must not have the key "tasks"'],
    ],
    ["a key twice", '{"id": 1}\n{"id": 2, "id": 3}\n', ['2:11 the key "id" is there twice']],
    ["__proto__", '{"id": 1}\n{"__proto__": {}}\n', ['2:2 the key "__proto__" is not allowed']],
  ];
  for (const [what, text, problems] of table)
    t.same(formatProblems(catchProblems(() => parseSource("x.ndjson", text))), problems, what);
});

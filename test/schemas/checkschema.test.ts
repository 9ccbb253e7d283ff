import t from "tap";
import { checkSchema } from "../../schemas/checkschema.js";
import { parseSource } from "../../schemas/parsesource.js";
import type { SchemaName } from "../../schemas/schema.js";
import { formatProblems } from "./problems.js";

const TABLE: [schema: SchemaName, text: string, problems: string[], hint?: string][] = [
  [
    "job",
    "kind: rnge\n",
    ['1:7 kind must be range | tasks | matrix | shards | queue, not "rnge"'],
    'did you mean "range"?',
  ],
  ["job", "kind: range\nrange: [0, 1]\ntimout: 3\n", ['3:1 unknown key "timout"'], 'did you mean "timeout"?'],
  ["job", "kind: range\n", ['1:1 the file has no key "range"']],
  [
    "job",
    "kind: matrix\nmatrix: {a: [1]}\ntasks: [{id: a}]\n",
    ['3:1 "tasks" does not belong to kind: matrix'],
    "remove it, or change kind",
  ],
  ["job", "kind: range\nrange: [0, 1.5]\n", ["2:12 range[1] must be a whole number of at least 0, not 1.5"]],
  [
    "job",
    "kind: range\nrange: [0, 1e30]\n",
    ["2:12 range[1] must be a whole number of at least 0, not 1e+30"],
    "write all its digits: this notation is not exact",
  ],
  ["job", "kind: range\nrange: [-1, 5]\n", ["2:9 range[0] must be a whole number of at least 0, not -1"]],
  ["job", "kind: range\nrange: 7\n", ["2:8 range must be a list, not 7"]],
  [
    "job",
    "kind: tasks\ntasks:\n  - {id: a, arg: [1]}\n  - {script: [x]}\n",
    [
      '3:13 unknown key "arg" in tasks[0]',
      '4:5 tasks[1] has no key "id"',
      "4:14 tasks[1].script must be text, not a list of 1",
    ],
  ],
  [
    "job",
    "kind: tasks\ntasks: [{id: a, args: [null]}]\n",
    ["2:24 tasks[0].args[0] must be text, a number, true or false, not nothing"],
  ],
  [
    "job",
    "kind: range\nrange: [0, 1]\nneeds: {memory: 1XB, vendor: AMD}\n",
    [
      '3:17 needs.memory must be a size like 512MiB, 8GiB or 1G (a plain number is bytes), not "1XB"',
      '3:30 needs.vendor must be amd | nvidia | none, not "AMD"',
    ],
  ],
  [
    "job",
    "kind: range\nrange: [0, 1]\nparams: {9x: 1}\n",
    ['3:10 "9x" must begin with a letter and hold only letters, digits, _ and -'],
  ],
  ["inventory", "nodes: {}\n", ["1:8 nodes must have at least 1 entry"]],
  ["inventory", "nodes:\n  a: {port: 70000}\n", ["2:13 nodes.a.port must be <= 65535, not 70000"]],
  [
    "job",
    "kind: tasks\nscript: a.py\ntasks:\n  - {id: a, needs: {gpu_share: 0.5}}\n",
    ['4:21 unknown key "gpu_share" in tasks[0].needs'],
    "what else a task needs is that of its job: write it in `needs` at the top of the job",
  ],
  [
    "inventory",
    "nodes:\n  a: {host: b}\nheal: {most: 2}\n",
    ["3:14 heal.most must be a number of healings a day, like 2/day, not 2"],
  ],
  ["inventory", "nodes:\n  a: {profil: x}\n", ['2:7 unknown key "profil" in nodes.a'], 'did you mean "profile"?'],
  [
    "inventory",
    "nodes:\n  a: {engine: slurm, partition: x, partitoin: y}\n",
    ['2:36 unknown key "partitoin" in nodes.a'],
    'did you mean "partition"? It is there already',
  ],
  [
    "inventory",
    "nodes:\n  a: {}\ndefaults: {host_keys: strct}\n",
    ['3:23 defaults.host_keys must be strict | accept-new, not "strct"'],
  ],
  [
    "jobs-file",
    '{"jobs": [{"job_id": "a", "seed": 5, "gpu_id": "x"}]}',
    ['1:48 jobs[0].gpu_id must be a whole number or nothing, not "x"'],
  ],
];

t.test("a schema violation is reported with its position and a suggestion", async (t) => {
  for (const [schema, text, problems, hint] of TABLE) {
    const got = checkSchema(parseSource("x.yaml", text), schema);
    t.same(formatProblems(got), problems, text);
    if (hint !== undefined) t.equal(got[0]?.hint, hint);
  }
});

t.test("integers beyond 2^64 are exact", async (t) => {
  const text = "kind: range\nrange: [18446744073709551616, 36893488147419103232]\n";
  t.same(checkSchema(parseSource("x.yaml", text), "job"), []);
});

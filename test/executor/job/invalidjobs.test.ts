import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import t from "tap";
import { loadJob } from "../../../executor/job/loadjob.js";
import { parseInventory } from "../../../fleet/inventory.js";
import { parseSource } from "../../../schemas/parsesource.js";
import { catchProblems, formatProblems } from "../../schemas/problems.js";

const OUTSIDE = "../".repeat(30);
const RANGE = "kind: range\nrange: [0, 10]\nscript: w.py\n";
const OUTSIDE_HINT = "outputs lie in the working directory of the chunk, or elsewhere in the project";

const TABLE: [what: string, text: string, problems: string[], hint?: string][] = [
  ["an unknown key", `${RANGE}timout: 3\n`, ['4:1 unknown key "timout"'], 'did you mean "timeout"?'],
  [
    "a wrong type",
    `${RANGE}outputs: hits.json\n`,
    ['4:10 outputs must be a list, not "hits.json"'],
    "write [hits.json]",
  ],
  [
    "a bad placeholder",
    `${RANGE}args: [ok, "{strat}"]\n`,
    ["4:12 args[1]: unknown placeholder {strat}"],
    "did you mean {start}? For literal braces write {{strat}}",
  ],
  [
    "braces in a command",
    'kind: range\nrange: [0, 10]\ncommand: [awk, -f, "{print $1}"]\n',
    ['3:20 command[2]: "{print $1}" is not a placeholder'],
    "write {{print $1}}",
  ],
  ["an open brace", `${RANGE}args: ["{start"]\n`, ['4:8 args[0]: a "{" is not closed']],
  [
    "a placeholder of another kind",
    "kind: tasks\nscript: w.py\ntasks: [{id: a, args: ['{start}']}]\n",
    ["3:24 tasks[0].args[0]: unknown placeholder {start}"],
  ],
  [
    "a missing script",
    "kind: range\nrange: [0, 10]\nscript: v.py\n",
    ['3:9 script: "v.py" does not exist'],
    'did you mean "w.py"?',
  ],
  [
    "a state without chunks of a fixed size",
    `${RANGE}state: true\nchunk: {target: 5m}\n`,
    ["4:8 state: chunks of a range must have a fixed size, so that a resumed run finds the state of each"],
    "e.g. chunk: 100000",
  ],
  [
    "the folder of a state that is not kept",
    `${RANGE}args: [--state, "{state}"]\n`,
    ["4:7 args: {state} is used, but the job keeps no state"],
    "add state: true",
  ],
  [
    "a GPU of no vendor",
    `${RANGE}needs: {vendor: none, gpus: 1}\n`,
    ["4:29 needs.gpus is 1, and needs.vendor is none"],
    "remove one of them",
  ],
  [
    "no script at all",
    "kind: range\nrange: [0, 10]\n",
    ["1:1 the job names no program: neither script, module nor command"],
  ],
  [
    "a directory and keys of a project",
    `${RANGE}directory: /srv/prng\nproject: .\ncode: [src/]\ncwd: .\npythonpath: [.]\nbuild: {command: [make]}\n`,
    [
      "5:1 project: directory is given as well, whose programs run in a folder that is on the nodes already",
      "6:1 code: directory is given as well, whose programs run in a folder that is on the nodes already",
      "7:1 cwd: directory is given as well, whose programs run in a folder that is on the nodes already",
      "8:1 pythonpath: directory is given as well, whose programs run in a folder that is on the nodes already",
      "9:1 build: directory is given as well, whose programs run in a folder that is on the nodes already",
    ],
    "remove project or directory",
  ],
  [
    "one file in a directory for all chunks",
    `${RANGE}directory: /srv/prng\noutputs: [a.json]\n`,
    ['5:10 outputs: "a.json" would be one file for all chunks, because they share /srv/prng'],
  ],
  [
    "a script outside of a directory",
    "kind: range\nrange: [0, 10]\nscript: ../w.py\ndirectory: /srv/prng\n",
    ['3:9 script: "../w.py" contains ".."'],
  ],
  [
    "a directory that is relative",
    `${RANGE}directory: prng\n`,
    ['4:12 directory must be absolute, or begin with ~/, not "prng"'],
  ],
  [
    "two tasks with one output in a directory",
    "kind: tasks\ndirectory: ~/p\nscript: w.py\noutputs: [a]\ntasks: [{id: a}, {id: b}]\n",
    ['5:18 b and a both write "a"'],
  ],
  ["script and command", `${RANGE}command: [x]\n`, ["4:1 command: a script is given as well"]],
  [
    "a script that cannot start",
    "kind: range\nrange: [0, 10]\nscript: notes.txt\n",
    ['3:9 script: "notes.txt" is neither executable nor *.py, so it cannot be started'],
  ],
  [
    "a script outside the project",
    "kind: range\nrange: [0, 10]\nscript: ../w.py\nproject: .\n",
    ['3:9 script: "../w.py" is outside the project'],
  ],
  [
    "a script elsewhere without a project",
    "kind: range\nrange: [0, 10]\nscript: ../w.py\nproject: none\n",
    ['3:9 script: "../w.py" contains ".."'],
  ],
  [
    "a missing input",
    `${RANGE}inputs: [data/a.json, data/c.json]\n`,
    ['4:23 inputs[1]: "data/c.json" does not exist'],
    'did you mean "a.json"?',
  ],
  [
    "a glob as an input",
    `${RANGE}inputs: [data/sub/*.json]\n`,
    ['4:10 inputs[0]: "data/sub/*.json" does not exist'],
    'inputs are not globs: name the folder, "data/sub"',
  ],
  [
    "a placeholder in an input",
    `${RANGE}inputs: ["data/{chunk}.json"]\n`,
    ['4:10 inputs[0]: "data/{chunk}.json" does not exist'],
    "placeholders are replaced in `args` and `command` only",
  ],
  ["an absolute input", `${RANGE}inputs: [/etc/passwd]\n`, ['4:10 inputs[0]: "/etc/passwd" is absolute']],
  [
    "a loop of folders",
    `${RANGE}inputs: [loop]\n`,
    ['4:10 inputs[0]: "loop" contains a link to one of its parent folders (loop/again)'],
  ],
  [
    "two tasks with one output",
    "kind: tasks\nscript: w.py\ntasks:\n  - {id: one, outputs: [r/x.json]}\n  - {id: two, outputs: [./r//x.json]}\n",
    ['5:24 two and one both write "r/x.json"'],
  ],
  [
    "an output inside another",
    "kind: tasks\nscript: w.py\ntasks:\n  - {id: one, outputs: [r]}\n  - {id: two, outputs: [r/x]}\n  - {id: three, outputs: [q/x]}\n  - {id: four, outputs: [q]}\n",
    [
      '5:24 two writes "r/x", but "r" is a file that one writes',
      '7:25 four writes the file "q", where three needs a folder',
    ],
  ],
  [
    "an output inside another of the same range",
    `${RANGE}outputs: [r, r/x]\n`,
    ['4:10 a chunk writes "r/x", but "r" is a file that a chunk writes'],
  ],
  [
    "an output outside of the project",
    `${RANGE}outputs: [${OUTSIDE}b]\n`,
    [`4:11 outputs: "${OUTSIDE}b" is outside the project`],
  ],
  ["an absolute output", `${RANGE}outputs: [/tmp/x]\n`, ['4:11 outputs: "/tmp/x" is absolute'], OUTSIDE_HINT],
  ["an empty output", `${RANGE}outputs: [""]\n`, ['4:11 outputs: "" is empty']],
  ["the same output twice", `${RANGE}outputs: [x, ./x]\n`, ['4:14 outputs: "./x" appears twice']],
  [
    "{out} in outputs",
    `${RANGE}outputs: ["{out}/x"]\n`,
    ['4:11 outputs: "{out}/x" is relative to {out} already'],
    "write x",
  ],
  [
    "an output that is an input",
    `${RANGE}inputs: [data]\nappend: [data/a.json]\n`,
    ['5:10 append: "data/a.json" is a JSON document, which cannot be joined by appending'],
  ],
  ["an empty range", "kind: range\nrange: [7, 7]\nscript: w.py\n", ["2:8 range: [7, 7] is empty"]],
  ["a reversed range", "kind: range\nrange: [8, 7]\nscript: w.py\n", ["2:8 range: [8, 7] ends before it begins"]],
  [
    "an empty range in a matrix",
    "kind: matrix\nmatrix: {a: [3, 3]}\nscript: w.py\n",
    ["2:13 matrix.a: [3, 3] is empty"],
  ],
  [
    "a value twice in a matrix",
    "kind: matrix\nmatrix: {a: [x, y, x]}\nscript: w.py\n",
    ["2:20 matrix.a: the value x appears twice"],
  ],
  [
    "a placeholder of muster",
    "kind: matrix\nmatrix: {out: [x]}\nscript: w.py\n",
    ["2:10 matrix.out: {out} is a placeholder of muster"],
  ],
  [
    "a parameter like a matrix key",
    "kind: matrix\nmatrix: {a: [x]}\nscript: w.py\nparams: {a: 1}\n",
    ["4:10 params.a: the matrix has a key of that name"],
  ],
  [
    "an id twice",
    "kind: tasks\nscript: w.py\ntasks:\n  - {id: a}\n  - {id: a}\n",
    ['5:10 the id "a" appears twice (first in line 4)'],
  ],
  [
    "an unsafe id",
    "kind: tasks\nscript: w.py\ntasks: [{id: ../a}]\n",
    ['3:14 the id "../a" must begin with a letter or digit and contain only letters, digits and . _ - = , + @ % ~'],
  ],
  [
    "aggregate of nothing",
    `${RANGE}outputs: [hits.json]\naggregate: {from: hit.json, as: array, to: all.json}\n`,
    ['5:19 aggregate.from: "hit.json" is not one of outputs'],
    'did you mean "hits.json"?',
  ],
  [
    "aggregate over a file of muster",
    `${RANGE}outputs: [x]\naggregate: {from: x, as: lines, to: results.ndjson}\n`,
    ['5:37 aggregate.to: "results.ndjson" is a file name that muster uses'],
  ],
  [
    "aggregate elsewhere",
    `${RANGE}outputs: [x]\naggregate: {from: x, as: lines, to: ../y}\n`,
    ['5:37 aggregate.to: "../y" must be a plain file name, without folders'],
  ],
  [
    "lines of two outputs",
    `${RANGE}outputs: [x, y]\ncollect: lines\n`,
    ["5:10 collect: lines needs exactly one output a chunk, not 2"],
  ],
  [
    "an unknown node",
    `${RANGE}needs: {nodes: [rigs, rgi]}\n`,
    ['4:23 needs.nodes[1]: the inventory has no node or tag "rgi"'],
    'did you mean "rig"?',
  ],
  [
    "a NUL in args",
    `${RANGE}args: ["a\\0b"]\n`,
    ["4:8 args[0] contains a NUL character, which an argument cannot hold"],
  ],
  [
    "a placeholder for a program",
    "kind: range\nrange: [0, 1]\ncommand: ['{gpu}']\n",
    ["3:11 command[0] must not contain placeholders"],
  ],
  ["not a mapping", "[1]\n", ["1:2 the file must be a mapping, not a list of 1"]],
  [
    "too many digits",
    `kind: range\nrange: [0, 1${"0".repeat(90)}]\nscript: w.py\n`,
    ["2:8 range: its end has more than 90 digits"],
  ],
  ["an unknown kind of worker", `${RANGE}worker: hot\n`, ['4:9 worker must be process | warm, not "hot"']],
  [
    "recycling without warm workers",
    `${RANGE}recycle: {chunks: 3}\n`,
    ["4:10 recycle: the job has no warm workers"],
    "add worker: warm, or remove it",
  ],
  ["warm workers with a terminal", `${RANGE}worker: warm\ntty: true\n`, ["5:6 tty: a warm worker has no terminal"]],
  [
    "isolation by what is no key of the matrix",
    "kind: matrix\nmatrix: {model: [a, b]}\nscript: w.py\nworker: warm\nisolate_by: modle\n",
    ['5:13 isolate_by: the matrix has no key "modle"'],
    'did you mean "model"?',
  ],
  ["an inventory", "nodes: {a: {}}\n", ["1:1 is an inventory, not a job"]],
  [
    "everything at once, in file order",
    "kind: range\nrange: [5, 5]\nscript: v.py\nargs: ['{x}']\noutputs: [/y]\ntimeout: soon\ninputs: [gone]\nfoo: 1\n",
    [
      "2:8 range: [5, 5] is empty",
      '3:9 script: "v.py" does not exist',
      "4:8 args[0]: unknown placeholder {x}",
      '5:11 outputs: "/y" is absolute',
      '6:10 timeout must be a span of time like 500ms, 60s, 10m or 1h30m (a plain number is seconds), not "soon"',
      '7:10 inputs[0]: "gone" does not exist',
      '8:1 unknown key "foo"',
    ],
  ],
];

t.test("reports invalid input with its position and the reason", async (t) => {
  const folder = t.testdir({ "w.py": "", "notes.txt": "", data: { "a.json": "1" } });
  mkdirSync(`${folder}/loop`);
  symlinkSync(".", `${folder}/loop/again`);
  const inventory = parseInventory(parseSource("i.yaml", "nodes: {rig: {tags: [rigs]}}\n"), `${folder}/i.yaml`);
  for (const [what, text, problems, hint] of TABLE) {
    writeFileSync(`${folder}/job.yaml`, text);
    const got = catchProblems(() => loadJob(`${folder}/job.yaml`, { inventory }));
    t.same(formatProblems(got), problems, what);
    if (hint !== undefined) t.equal(got[0]?.hint, hint, `${what}: hint`);
  }
});

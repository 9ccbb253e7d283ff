import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { loadJob } from "../../../executor/job/loadjob.js";

const HEAD = "kind: range\nrange: [0, 9]\n";
const TABLE: [what: string, files: Record<string, string>, job: string, named: string | undefined][] = [
  ["an argument", {}, 'command: [tool, "{start}", r.txt]\noutputs: [r.txt]\n', undefined],
  ["a part of an argument", {}, 'command: [sh, -c, "date > out/r.txt"]\noutputs: [out/r.txt]\n', undefined],
  ["an argument without the extension", {}, "command: [tool, --name, result]\noutputs: [result.json]\n", undefined],
  ["the environment", {}, "command: [tool]\nenv: {OUT: r.txt}\noutputs: [r.txt]\n", undefined],
  ["the script", { "w.py": 'open("r.txt", "w")' }, "script: w.py\noutputs: [r.txt]\n", undefined],
  ["a module", { "w.py": "import m", "m.py": 'open("r.txt", "w")' }, "script: w.py\noutputs: [r.txt]\n", undefined],
  ["a name that is not ASCII", { "w.py": 'open("ночь.txt", "w")' }, "script: w.py\noutputs: [ночь.txt]\n", undefined],
  ["an installed module", {}, "module: tool\noutputs: [r.txt]\n", undefined],
  ["nothing", { "w.py": "print(1)" }, "script: w.py\noutputs: [r.txt, s.txt]\n", "r.txt, s.txt"],
  ["another name", {}, "command: [tool, reslut.json]\noutputs: [result.json]\n", "result.json"],
];
for (const [what, files, job, named] of TABLE)
  t.test(`an output that ${what} mentions`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "muster-outputs-")); // outside this repository, which would be the project
    t.teardown(() => rmSync(folder, { recursive: true }));
    for (const [name, text] of Object.entries({ "job.yaml": HEAD + job, ...files }))
      writeFileSync(join(folder, name), text);
    const notes = loadJob(`${folder}/job.yaml`).notes?.filter((note) => note.includes("mentions")) ?? [];
    const text = `no argument and no source file mentions ${named}; a chunk fails if its program does not write it`;
    t.same(notes, named === undefined ? [] : [text]);
  });

import t from "tap";
import { loadJob } from "../../../executor/job/loadjob.js";

t.test("learned rates are filed under what runs, not under the name of a job", async (t) => {
  const folder = t.testdir({
    ".project-root": "",
    "w.py": "",
    "v.py": "",
    "a.yaml": "name: same\nkind: range\nrange: [0, 9]\nscript: w.py\nargs: [fast]\n",
    "b.yaml": "name: other\nkind: matrix\nmatrix: {n: [0, 9]}\nscript: w.py\n",
    "c.yaml": "name: same\nkind: range\nrange: [0, 9]\nscript: v.py\n",
    "d.yaml": "name: same\nkind: range\nrange: [0, 9]\ncommand: [sh, -c, 'one {start}']\n",
    "e.yaml": "name: same\nkind: range\nrange: [0, 9]\ncommand: [sh, -c, 'two {start}']\n",
    "f.yaml": "kind: tasks\nscript: w.py\ntasks: [{id: a}, {id: b, script: v.py}]\n",
    "g.yaml": "kind: tasks\nscript: v.py\ntasks: [{id: x}, {id: y, script: w.py}]\n",
  });
  const work = (name: string) => loadJob(`${folder}/${name}.yaml`).work;
  t.equal(work("a"), work("b"));
  t.match(work("a"), /^w\.py-[0-9a-f]{8}$/);
  t.equal(new Set(["a", "c", "d", "e", "f"].map(work)).size, 5);
  t.equal(work("f").slice(-8), work("g").slice(-8), "in any order");
});

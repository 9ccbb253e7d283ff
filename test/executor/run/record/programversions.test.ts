import t from "tap";
import { ProgramVersions } from "../../../../executor/run/record/programversions.js";

t.test("a version is new where the node had another one, and a difference is reported once per node", (t) => {
  const versions = new ProgramVersions();
  const differs = "w.py differs from that on zeus: bring all nodes to one version, and start a new run with --fresh";
  const changed = "w.py has changed since the run began";
  const steps: [node: string, sha256: string, isNew: boolean, warning: string | undefined][] = [
    ["zeus", "1", true, undefined],
    ["rig", "1", true, undefined],
    ["rig", "1", false, undefined],
    ["old", "0", true, differs],
    ["old", "0", false, undefined],
    ["zeus", "2", true, changed],
    ["zeus", "3", true, undefined],
    ["rig", "3", true, changed],
    ["late", "3", true, changed],
    ["other", "4", true, differs],
  ];
  for (const [node, sha256, isNew, warning] of steps)
    t.same(versions.compare(node, "w.py", sha256), { isNew, warning }, `${node} ${sha256}`);
  t.same(versions.compare("zeus", "v.py", "9"), { isNew: true, warning: undefined }, "another program");
  t.end();
});

t.test("versions of earlier sessions count, too", (t) => {
  const versions = new ProgramVersions();
  for (const node of ["zeus", "rig"]) versions.record({ node, path: "w.py", sha256: "1" });
  t.same(versions.compare("rig", "w.py", "1"), { isNew: false, warning: undefined });
  t.match(versions.compare("zeus", "w.py", "2"), { isNew: true, warning: /has changed since the run began/ });
  t.end();
});

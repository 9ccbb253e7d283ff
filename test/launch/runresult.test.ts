import { join } from "node:path";
import t from "tap";
import type { ResultsFolder } from "../../executor/run/record/resultsfolder.js";
import { parseResultLine } from "../../launch/runresult.js";
import { taskJob } from "../executor/schedule/schedulefixture.js";

t.test("a stopped chunk says so, and lists the files that it has", async (t) => {
  const path = t.testdir({ "part.json": "1" });
  const files = ["part.json", "whole.json"].map((name) => ({ path: name, size: 1, sha256: "" }));
  const line = { chunk: "t0", node: "rig", slot: 0, attempt: 1, seconds: 2, sha256: "", files, output: null };
  const parse = (more: object) =>
    parseResultLine(JSON.stringify({ ...line, ...more }), taskJob([{}]), { path } as unknown as ResultsFolder);
  const stopped = parse({ stopped: true, values: [[0, 1.5]] });
  t.match(stopped, { stopped: true, values: [[0, 1.5]] });
  t.same(stopped.files, [join(path, "part.json")]);
  const done = parse({});
  t.notOk("stopped" in done || "values" in done);
  t.equal(done.files.length, 2);
});

import { chmodSync, writeFileSync } from "node:fs";
import t from "tap";
import { loadJob } from "../../../../executor/job/loadjob.js";
import { catchProblems } from "../../../schemas/problems.js";
import { createFolder } from "./projectfixture.js";

const RANGE = "kind: range\nrange: [0, 10]\n";

t.test("a program of the project that is not executable is reported before anything runs", async (t) => {
  const folder = createFolder(t, { "bin/tool": "#!/bin/sh\n", "jobs/none": "", ".project-root": "" });
  const check = (text: string) => {
    writeFileSync(`${folder}/jobs/job.yaml`, RANGE + text);
    return catchProblems(() => loadJob(`${folder}/jobs/job.yaml`, {}));
  };
  t.match(check("command: [../bin/tool]\n"), [
    {
      line: 3,
      column: 11,
      message: 'command[0]: "../bin/tool" is not executable',
      hint: "chmod +x ../bin/tool, or name its interpreter, e.g. command: [python3, ../bin/tool]",
    },
  ]);
  t.match(check("cwd: .\ncommand: [bin/tool]\n"), [{ message: 'command[0]: "bin/tool" is not executable' }]);
  t.same(check("cwd: .\ncommand: [bin/tool]\nbuild: {command: [make]}\n"), [], "the build may make it executable");
  t.same(check("command: [sh, ../bin/tool]\n"), []);
  chmodSync(`${folder}/bin/tool`, 0o755);
  t.same(check("command: [../bin/tool]\n"), []);
});

import { chmodSync, existsSync, writeFileSync } from "node:fs";
import t, { type Test } from "tap";
import { listProgramFolders } from "../../../executor/job/askprogram.js";
import { loadJob } from "../../../executor/job/loadjob.js";
import { run } from "../../../lib/index.js";
import { runMuster } from "../../cli/startmuster.js";
import { catchProblems, formatProblems } from "../../schemas/problems.js";

const QUEUE = "name: q\nkind: queue\ncommand: [echo, hello]\noutputs: [stdout]\n";

const TABLE: [what: string, program: string, problem: string | undefined, hint?: RegExp][] = [
  ["a file that is absent", "./nosuch", '5:7 ask[0]: "./nosuch" does not exist', /^looked for \/.*\/nosuch$/],
  ["a file that is not executable", "./plain", '5:7 ask[0]: "./plain" is not executable', /^chmod \+x \/.*\/plain, or/],
  ["a folder", "./bin", '5:7 ask[0]: "./bin" is not a file'],
  [
    "a program that is nowhere",
    "nosuchprog",
    '5:7 ask[0]: there is no program "nosuchprog" in the folders of PATH',
    /^install it, or write its path$/,
  ],
  [
    "a program beside the job",
    "plain",
    '5:7 ask[0]: there is no program "plain" in the folders of PATH',
    /written \.\/plain$/,
  ],
  ["a program in the folder of the job", "./bin/asks", undefined],
  ["a program in a folder of PATH, which is relative to that of the job", "asks", undefined],
  ["a program of the system", "sh", undefined],
];

function createFolder(test: Test): string {
  const folder = test.testdir({ plain: "", bin: { asks: "#!/bin/sh\n" } });
  chmodSync(`${folder}/bin/asks`, 0o755);
  return folder;
}

t.test("an ask program that cannot start is reported with its position", async (t) => {
  const folder = createFolder(t);
  const programFolders = listProgramFolders("bin:/usr/bin:/bin");
  for (const [what, program, problem, hint] of TABLE) {
    const file = `${folder}/q.yaml`;
    writeFileSync(file, `${QUEUE}ask: [${program}, an argument]\n`);
    const problems = catchProblems(() => loadJob(file, { programFolders }));
    t.same(formatProblems(problems), problem === undefined ? [] : [problem], what);
    if (hint !== undefined) t.match(problems[0]?.hint, hint, what);
    t.same(loadJob(file).ask, [program, "an argument"], "a run that exists is loaded all the same");
  }
});

t.test("such a program is refused before anything runs, by validate, run and the library", async (t) => {
  const folder = createFolder(t);
  for (const program of ["./nosuch", "nosuchprog", "./plain"]) {
    const file = `${folder}/q.yaml`;
    writeFileSync(file, `${QUEUE}ask: [${program}]\n`);
    for (const command of [
      ["validate", file],
      ["run", file, "-i", "local"],
    ]) {
      const { code, err } = await runMuster(command);
      t.equal(code, 65, `${command[0]} ${program}`);
      t.match(err, `q.yaml:5:7: ask[0]: `);
    }
    await t.rejects(run(file, { inventory: "local" }), { code: "INVALID_FILE" });
  }
  t.notOk(existsSync(`${folder}/runs`));
});

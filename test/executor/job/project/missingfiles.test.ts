import { symlinkSync, truncateSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { Program } from "../../../../executor/job/job.js";
import { explainMissing } from "../../../../executor/job/project/missingfiles.js";
import { findMissingNames } from "../../../../executor/job/project/missingnames.js";
import type { Project } from "../../../../executor/job/project/project.js";
import type { JobFiles } from "../../../../executor/job/project/whereabouts.js";
import { createFolder, createRepository, gitMissing, list } from "./projectfixture.js";

const COMMAND: Program = { kind: "command", command: ["sh"] };
const COPY = "/home/rig/.muster/runs/sieve-1@rig/w/3";

/** `narrowed`: `code` of the job. */
function localFiles(root: string, rest: Partial<JobFiles> = {}, narrowed?: string[]): JobFiles {
  const { files, leftOut } = list(root, { code: narrowed });
  const project: Project = { root, files, leftOut, narrowedBy: narrowed && "code" };
  return { root, project, folders: { job: ".", cwd: ".", pythonPath: [] }, inputs: [], ...rest };
}

/** What is said about the end of a program's stderr. */
function explain(files: JobFiles, stderr: string, program = COMMAND): (string | undefined)[] {
  return findMissingNames(stderr).map((missing) => explainMissing(missing, program, files));
}

const lacks = (path: string) => `cat: ${path}: No such file or directory`;
const lacksModule = (name: string) => `ModuleNotFoundError: No module named '${name}'`;

/** A project with a file of each status. */
function createProject(create: typeof createFolder) {
  const outside = createFolder(t, { "far.txt": "far" });
  const root = create(t, {
    ".gitignore": "*.bin\n/cache/\n",
    "main.py": "",
    "conf/a.yaml": "a",
    "conf/model.bin": "m",
    "cache/deep/x.txt": "x",
    "lib/x.py": "",
    "lib/pkg/__init__.py": "",
    "big.dat": "",
    ".env": "KEY=1",
    "tools/run.js": "",
    "tools/util.js": "",
  });
  truncateSync(join(root, "big.dat"), (4 << 20) + 1);
  symlinkSync(outside, join(root, "data"));
  return root;
}

for (const [kind, create] of [
  ["git", createRepository],
  ["no git", createFolder],
] as const)
  t.test(`a file that is not copied to nodes (${kind})`, { skip: kind === "git" && gitMissing }, async (t) => {
    const root = createProject(create);
    const files = localFiles(root);
    for (const [stderr, advice] of [
      [lacks("conf/model.bin"), "`conf/model.bin` is not copied to nodes (ignored by git). Add it to `inputs`."],
      [lacks("./cache/deep/x.txt"), "`cache/deep/x.txt` is not copied to nodes (ignored by git). Add it to `inputs`."],
      [lacks("cache/"), "`cache` is not copied to nodes (ignored by git). Add it to `inputs`."],
      [
        lacks(`${COPY}/conf/model.bin`),
        "`conf/model.bin` is not copied to nodes (ignored by git). Add it to `inputs`.",
      ],
      [lacks("big.dat"), "`big.dat` is not copied to nodes (over 4 MB). Add it to `inputs`."],
      [lacks(".env"), "`.env` is not copied to nodes (it may hold secrets). Pass its values with `env_file`."],
      [
        lacks("data/far.txt"),
        "`data/far.txt` is not copied to nodes (`data` is a link out of the project). Add it to `inputs`.",
      ],
      [
        lacks(`${root}/conf/a.yaml`),
        "`conf/a.yaml` is copied to nodes, but the program uses its absolute path on this machine. Use a path relative to the working directory.",
      ],
      [lacks("conf/a.yaml"), undefined],
      [lacks("conf/none.yaml"), undefined],
      [lacks("../other"), undefined],
      [lacks("/etc/passwd"), undefined],
      [lacks(`${COPY}/../../etc/passwd`), undefined],
    ] as const)
      t.same(explain(files, stderr), [advice], stderr);
    t.same(explain({ ...files, inputs: ["big.dat"] }, lacks("big.dat")), [undefined], "an input is copied");
  });

t.test("code selects files of the project", { skip: gitMissing }, async (t) => {
  const root = createProject(createRepository);
  const files = localFiles(root, {}, ["main.py", "tools/run.js"]);
  const notInCode = (path: string) => `\`${path}\` is not copied to nodes (not in \`code\`). Add it to \`code\`.`;
  t.same(explain(files, lacks("conf/a.yaml")), [notInCode("conf/a.yaml")]);
  t.same(explain(files, lacksModule("lib.x")), [notInCode("lib/x.py")]);
  t.same(explain(files, lacksModule("lib.pkg")), [notInCode("lib/pkg/__init__.py")]);
  t.match(explain(files, lacks("conf/model.bin")), [/ignored by git\)\. Add it to `inputs`/]);
  const required = `Error: Cannot find module './util'\nRequire stack:\n- ${COPY}/tools/run.js\n`;
  t.same(explain(files, required), [notInCode("tools/util.js")]);
  const imports = { ...files, project: { ...files.project!, narrowedBy: "imports" as const } };
  t.match(explain(imports, lacks("conf/a.yaml")), [
    /\(not in `code`\)\. Add it to `inputs`, or list files and folders in `code`\.$/,
  ]);
});

t.test("a job file below the root, and another working directory", async (t) => {
  const root = createProject(createFolder);
  const below = localFiles(root, { folders: { job: "conf", cwd: "lib", pythonPath: [] } });
  t.match(explain(below, lacks("model.bin")), [/^`conf\/model\.bin` .*\. Add it to `inputs` as `model\.bin`\.$/]);
  t.match(explain(below, lacks("big.dat")), [/\. Add it to `inputs` as `\.\.\/big\.dat`\.$/]);
  t.same(explain(below, lacks("conf/a.yaml")), [
    "`conf/a.yaml` is copied to nodes, but programs start in `lib`, not in `.`. Set `cwd: .`.",
  ]);
  t.same(explain(below, lacks("a.yaml")), [
    "`conf/a.yaml` is copied to nodes, but programs start in `lib`, not in `conf`. Set `cwd: conf`.",
  ]);
});

t.test("a module in another folder", async (t) => {
  const root = createProject(createFolder);
  const files = localFiles(root);
  const elsewhere = (path: string) =>
    `\`${path}\` is copied to nodes, but Python does not look for modules in \`lib\`. Add \`lib\` to \`pythonpath\`.`;
  t.same(explain(files, lacksModule("x")), [elsewhere("lib/x.py")]);
  t.same(explain(files, lacksModule("pkg")), [elsewhere("lib/pkg/__init__.py")]);
  t.same(explain(files, lacksModule("numpy")), [undefined]);
  const withPath = { ...files, folders: { ...files.folders, pythonPath: ["lib"] } };
  t.same(explain(withPath, lacksModule("x")), [undefined], "it is looked for there already");
  const script: Program = { kind: "script", script: { path: "lib/x.py", source: "" }, prefix: [] };
  t.same(explain(files, lacksModule("main"), script), [
    "`main.py` is copied to nodes, but Python does not look for modules in `.`. Add `.` to `pythonpath`.",
  ]);
});

t.test("a job without a project", async (t) => {
  const root = createProject(createFolder);
  const files = { ...localFiles(root), project: undefined };
  t.match(explain(files, lacks("conf/a.yaml")), [
    /is not copied to nodes \(the job has no project\)\. Add it to `inputs`\.$/,
  ]);
  t.match(explain(files, lacksModule("main")), [
    /^`main\.py` is next to the job file.*Name its folder in `project`\.$/,
  ]);
});

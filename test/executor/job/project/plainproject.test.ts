import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import t from "tap";
import { addFiles, createFolder, list, listPaths, listWithoutPrivileges, refuse } from "./projectfixture.js";

const RUN = '{"n":1,"e":"run","id":"x"}\n';
const PIPELINE = '{"n":1,"e":"pipeline","id":"x"}\n';

t.test("all files are copied except those that .gitignore names, at every level", async (t) => {
  const folder = createFolder(t, {
    ".gitignore": "*.log\n/build/\nout/\n!keep.log\nCase.txt\n",
    ".hidden/x": "",
    "data/datasets/models/node.py": "",
    "a.log": "",
    "keep.log": "",
    "case.txt": "",
    "Case.txt": "",
    "build/x": "",
    "src/build/x": "",
    "src/out/x": "",
    "src/.gitignore": "!special.log\n/only-here\n",
    "src/special.log": "",
    "src/other.log": "",
    "src/only-here": "",
    "src/deep/only-here": "",
    "src/deep/special.log": "",
  });
  t.same(listPaths(folder), [
    ".gitignore",
    ".hidden/x",
    "case.txt",
    "data/datasets/models/node.py",
    "keep.log",
    "src/.gitignore",
    "src/build/x",
    "src/deep/only-here",
    "src/deep/special.log",
    "src/special.log",
  ]);
});

t.test("what a file is", async (t) => {
  const folder = createFolder(t, { "a.txt": "12345", "run.sh": "", "private.txt": "" });
  chmodSync(`${folder}/run.sh`, 0o700);
  chmodSync(`${folder}/private.txt`, 0o600);
  symlinkSync("a.txt", `${folder}/link`);
  utimesSync(`${folder}/a.txt`, 1_700_000_000.75, 1_700_000_000.75);
  const files = new Map(list(folder).files.map((file) => [file.path, file]));
  t.same(files.get("a.txt"), { path: "a.txt", mode: 0o644, sizeBytes: 5, mtimeSeconds: 1_700_000_000 });
  t.equal(files.get("run.sh")?.mode, 0o755);
  t.equal(files.get("private.txt")?.mode, 0o644);
  t.match(files.get("link"), { mode: 0o120000, sizeBytes: 5, target: "a.txt" });
  symlinkSync(folder, `${folder}-link`);
  t.same(listPaths(`${folder}-link`), [...files.keys()], "a root that is a link");
  spawnSync("rm", [`${folder}-link`]);
});

t.test("what is left out, and what is said about it", async (t) => {
  const folder = createFolder(t, {
    ".env": "KEY=1",
    "conf/.env.production": "",
    ".env.example": "",
    ".envrc": "",
    "x.env": "",
    ".env.d/inner": "",
    ".muster-rates.json": "{}",
    "sub/.muster-rates.json.123": "",
    ".muster-drain.json": "{}",
    ".muster-heal.json": "{}",
    ".muster-heal.lock": "",
    "runs/.muster-73d4a180eaf6.log": "",
    ".git/config": "",
    "notes/__pycache__/m.cpython-311.pyc": "",
    "runs/one/journal.ndjson": RUN,
    "runs/one/results/r.json": "",
    "runs/two/journal.ndjson": PIPELINE,
    "runs/two/step/out.txt": "",
    "runs/killed/journal.ndjson": "",
    "notes/journal.ndjson": '{"day":1}\n',
    "notes/text": "",
    "published/r.json": "",
    "published-too/r.json": "",
    big: "",
    limit: "",
  });
  truncateSync(`${folder}/big`, 4 * 2 ** 20 + 1);
  truncateSync(`${folder}/limit`, 4 * 2 ** 20);
  const exclude = new Set(["published", "not-yet/there", "../elsewhere"]);
  const { files, leftOut } = list(folder, { exclude });
  t.same(
    files.map(({ path }) => path),
    [
      ".env.d/inner",
      ".env.example",
      ".envrc",
      "limit",
      "notes/journal.ndjson",
      "notes/text",
      "published-too/r.json",
      "x.env",
    ],
  );
  t.same(leftOut, [
    { path: ".env", why: "env file", sizeBytes: 5 },
    { path: "big", why: "over 4 MB", sizeBytes: 4 * 2 ** 20 + 1 },
    { path: "conf/.env.production", why: "env file", sizeBytes: 0 },
    { path: "runs/killed", why: "run directory" },
    { path: "runs/one", why: "run directory" },
    { path: "runs/two", why: "run directory" },
  ]);
});

t.test("a project that is a run directory as well is still copied", async (t) => {
  const folder = createFolder(t, { "journal.ndjson": RUN, "w.py": "" });
  t.same(listPaths(folder), ["journal.ndjson", "w.py"]);
});

t.test("sockets, pipes and empty folders are not copied", async (t) => {
  const folder = createFolder(t, { "w.py": "" });
  mkdirSync(`${folder}/empty`);
  t.equal(spawnSync("mkfifo", [`${folder}/pipe`]).status, 0);
  t.same(list(folder), { ok: true, files: list(folder).files, leftOut: [] });
  t.same(listPaths(folder), ["w.py"]);
});

t.test("links", async (t) => {
  const folder = createFolder(t, {
    "p/data/x": "",
    "p/src/deep/y": "",
    "outside/secret": "",
    "p/.gitignore": "ignored/\n",
    "p/ignored/z": "",
  });
  const root = `${folder}/p`;
  const table: [path: string, target: string, wanted: string | undefined][] = [
    ["plain", "data/x", "data/x"],
    ["src/deep/up", "../../data", "../../data"],
    ["src/self", "..", ".."],
    ["absolute", `${root}/data/x`, "data/x"],
    ["src/deep/absolute", `${root}/data/x`, "../../data/x"],
    ["src/root", root, ".."],
    ["through-name", "../p/data/x", "data/x"],
    ["missing", "data/not-there", "data/not-there"],
    ["absolute-missing", `${root}/data/not-there`, "data/not-there"],
    ["to-ignored", "ignored/z", "ignored/z"],
    ["loop-a", "loop-b", "loop-b"],
    ["loop-b", "loop-a", "loop-a"],
    ["self", "self", "self"],
    ["out", "../outside/secret", undefined],
    ["out-missing", "../outside/not-there", undefined],
    ["out-absolute", "/etc", undefined],
    ["out-folder", "../outside", undefined],
    ["chain", "out-folder", undefined],
    ["chain-below", "out-folder/secret", undefined],
    ["sibling", "../p-other/x", undefined],
    ["absolute-to-link", `${root}/plain`, "plain"],
  ];
  for (const [path, target] of table) symlinkSync(target, `${root}/${path}`);
  const { files, leftOut } = list(root);
  for (const [path, , wanted] of table) {
    t.equal(files.find((file) => file.path === path)?.target, wanted, path);
    t.equal(
      leftOut.find((file) => file.path === path)?.why,
      wanted === undefined ? "leads out of the project" : undefined,
    );
  }
  t.equal(files.length, 3 + table.filter(([, , wanted]) => wanted !== undefined).length, "no link is followed");
  t.notOk(leftOut.some(({ path }) => path.includes("secret")));
});

t.test("code narrows the project", async (t) => {
  const folder = createFolder(t, {
    "src/a.py": "",
    "src/deep/b.py": "",
    "src/deep/b.txt": "",
    "src2/c.py": "",
    "conf/x.yaml": "",
    "conf/.dot.yaml": "",
    "we[i]rd/x": "",
    "weird/x": "",
    "top.py": "",
    ".env": "",
  });
  const table: [code: string[], wanted: string[]][] = [
    [["src"], ["src/a.py", "src/deep/b.py", "src/deep/b.txt"]],
    [["src/"], ["src/a.py", "src/deep/b.py", "src/deep/b.txt"]],
    [
      ["./src/deep/", "top.py"],
      ["src/deep/b.py", "src/deep/b.txt", "top.py"],
    ],
    [["src/**/*.py"], ["src/a.py", "src/deep/b.py"]],
    [["src*/*.py"], ["src/a.py", "src2/c.py"]],
    [["conf/*"], ["conf/.dot.yaml", "conf/x.yaml"]],
    [["src/d*"], ["src/deep/b.py", "src/deep/b.txt"]],
    [["*.py"], ["top.py"]],
    [["{conf,src2}"], ["conf/.dot.yaml", "conf/x.yaml", "src2/c.py"]],
    [["we[i]rd"], ["we[i]rd/x", "weird/x"]],
    [[".env", "top.py"], ["top.py"]],
    [["."], listPaths(folder)],
    [[], []],
  ];
  for (const [code, wanted] of table) t.same(listPaths(folder, { code }), wanted, code.join(" "));
});

t.test("an entry of code that matches nothing is refused", async (t) => {
  const folder = createFolder(t, {
    "src/model.py": "",
    "conf/x": "",
    ".gitignore": "data/\n",
    "data/d": "",
    "results/r": "",
  });
  const table: [entry: string, message: string, hint: string][] = [
    ["scr/", `code: "scr/" matches no file of the project ${folder}`, 'did you mean "src"?'],
    ["src/modle.py", 'code: "src/modle.py" matches no file', 'did you mean "src/model.py"?'],
    ["scr/**/*.py", 'code: "scr/**/*.py" matches no file', 'did you mean "src"?'],
    ["src/*.cpp", 'code: "src/*.cpp" matches no file', "check the pattern"],
    ["data", 'code: nothing in "data" belongs to the project', "add what the program needs to `inputs`"],
    ["results/", 'code: nothing in "results/" belongs to the project', "add what the program needs to `inputs`"],
    ["/etc", 'code: "/etc" is absolute', "relative to the root"],
    ["../x", 'code: "../x" contains ".."', "relative to the root"],
    ["", 'code: "" is empty', "relative to the root"],
    ["!src/*.py", 'code: "!src/*.py" matches no file', "check the pattern"],
    ["!src", 'code: "!src" matches no file', 'did you mean "src"?'],
  ];
  for (const [entry, message, hint] of table) {
    const refused = refuse(folder, { code: ["conf", entry], exclude: new Set(["results"]) });
    t.match(refused.message, message);
    t.match(refused.hint, hint);
  }
});

t.test("names that are not UTF-8 are refused", async (t) => {
  const folder = createFolder(t, { "src/a.py": "", "d/good \ufffd name": "" });
  t.same(listPaths(folder), ["d/good \ufffd name", "src/a.py"], "this one is");
  writeFileSync(Buffer.from(`${folder}/d/caf\xe9\n.txt`, "latin1"), "");
  t.match(refuse(folder), {
    message: "d/caf\\xe9\\x0a.txt: the name of this file is not valid UTF-8",
    hint: "rename it",
  });
  t.same(listPaths(folder, { code: ["src"] }), ["src/a.py"]);
  addFiles(folder, { ".gitignore": "/d\n" });
  mkdirSync(Buffer.from(`${folder}/b\xffd`, "latin1"));
  t.match(refuse(folder).message, "b\\xffd: the name");
});

t.test("what cannot be read is refused", async (t) => {
  const folder = createFolder(t, { "src/a.py": "", "locked/x": "", "secret.txt": "" });
  const refused = (path: string) => ({
    ok: false,
    message: `${path}: permission denied`,
    hint: /`chmod u\+rX`.*\.gitignore.*`code`/,
  });
  t.match(listWithoutPrivileges(folder), { ok: true });
  chmodSync(`${folder}/secret.txt`, 0);
  t.match(listWithoutPrivileges(folder), refused("secret.txt"));
  chmodSync(`${folder}/secret.txt`, 0o644);
  for (const mode of [0, 0o444]) {
    chmodSync(`${folder}/locked`, mode);
    t.match(
      listWithoutPrivileges(folder),
      { ok: false, message: /locked.*: permission denied/ },
      `folder with mode ${mode}`,
    );
  }
  chmodSync(`${folder}/locked`, 0o755);
  addFiles(folder, { ".gitignore": "" });
  chmodSync(`${folder}/.gitignore`, 0);
  t.match(listWithoutPrivileges(folder), { ok: false, message: /\.gitignore: permission denied/ });
});

t.test("a root that is no folder is refused", async (t) => {
  const folder = createFolder(t, { file: "" });
  t.match(refuse(`${folder}/none`), { message: `the project ${folder}/none does not exist`, hint: "project: none" });
  t.match(refuse(`${folder}/file`), { message: `the project ${folder}/file is not a folder` });
  t.match(refuse(`${folder}/file/x`), { message: "does not exist" });
});

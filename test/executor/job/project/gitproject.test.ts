import { chmodSync, lchownSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import t from "tap";
import {
  addFiles,
  commitAll,
  createFolder,
  createRepository,
  git,
  gitMissing,
  list,
  listPaths,
  listWithoutPrivileges,
  refuse,
} from "./projectfixture.js";

const options = { skip: gitMissing ?? false };

t.test("tracked files and untracked ones that are not ignored", options, async (t) => {
  const folder = createRepository(t, { "a.py": "", "gone.py": "", "old/x": "", "swap/x": "", "tracked.log": "" });
  addFiles(folder, {
    ".gitignore": "*.log\n",
    "new.py": "",
    "new.log": "",
    ".git/info/exclude": "private\n",
    private: "",
  });
  rmSync(`${folder}/gone.py`);
  rmSync(`${folder}/old`, { recursive: true });
  writeFileSync(`${folder}/old`, "a file now");
  rmSync(`${folder}/swap`, { recursive: true });
  addFiles(folder, { "elsewhere/x": "" });
  symlinkSync("elsewhere", `${folder}/swap`);
  t.same(listPaths(folder), [".gitignore", "a.py", "elsewhere/x", "new.py", "old", "swap", "tracked.log"]);
  t.equal(list(folder).files.find(({ path }) => path === "swap")?.target, "elsewhere");
});

t.test("a tracked file that became a folder", options, async (t) => {
  const folder = createRepository(t, { thing: "" });
  rmSync(`${folder}/thing`);
  addFiles(folder, { "thing/inner": "" });
  t.same(listPaths(folder), ["thing/inner"]);
});

t.test("a merge with conflicts lists each file once", options, async (t) => {
  const folder = createRepository(t, { "a.py": "base" });
  const main = git(folder, "symbolic-ref", "--short", "HEAD").trim();
  git(folder, "checkout", "-q", "-b", "other");
  addFiles(folder, { "a.py": "other" });
  git(folder, "commit", "-q", "-a", "-m", "other");
  git(folder, "checkout", "-q", main);
  addFiles(folder, { "a.py": "main" });
  git(folder, "commit", "-q", "-a", "-m", "main");
  t.throws(() => git(folder, "merge", "other"));
  t.same(listPaths(folder), ["a.py"]);
});

t.test("a root below the work tree", options, async (t) => {
  const folder = createRepository(t, {
    ".gitignore": "scratch/\n*.log\n",
    "sub/a.py": "",
    "sub/.gitignore": "!b.log",
    "other.py": "",
  });
  addFiles(folder, {
    "sub/a.log": "",
    "sub/b.log": "",
    "scratch/job/w.py": "",
    "scratch/job/.gitignore": "*.tmp",
    "scratch/job/x.tmp": "",
  });
  t.same(listPaths(`${folder}/sub`), [".gitignore", "a.py", "b.log"]);
  t.same(listPaths(`${folder}/scratch/job`), [".gitignore", "w.py"], "git ignores it, so it stands for itself");
  t.same(listPaths(folder), [".gitignore", "other.py", "sub/.gitignore", "sub/a.py", "sub/b.log"]);
});

t.test("variables of a git that runs muster as a hook are disregarded", options, async (t) => {
  const folder = createRepository(t, { "a.py": "", "tracked.log": "" });
  addFiles(folder, { ".gitignore": "*.log" });
  const other = createRepository(t, { "other.py": "" });
  for (const [name, value] of [
    ["GIT_DIR", `${other}/.git`],
    ["GIT_WORK_TREE", other],
    ["GIT_INDEX_FILE", `${other}/.git/index`],
  ] as const) {
    process.env[name] = value;
    t.same(listPaths(folder), [".gitignore", "a.py", "tracked.log"], name);
    delete process.env[name];
  }
});

t.test("a program that the repository names is not run", options, async (t) => {
  const folder = createRepository(t, { "a.py": "" });
  addFiles(folder, { ".git/monitor": `#!/bin/sh\ntouch ${folder}/ran\n` });
  chmodSync(`${folder}/.git/monitor`, 0o755);
  git(folder, "config", "core.fsmonitor", `${folder}/.git/monitor`);
  t.same(listPaths(folder), ["a.py"]);
  t.same(readdirSync(folder).sort(), [".git", "a.py"]);
});

t.test("submodules are copied, and must be checked out", options, async (t) => {
  const inner = createRepository(t, { "inner.py": "" });
  const library = createRepository(t, { "lib.py": "", ".gitignore": "*.o\n" });
  git(library, "submodule", "--quiet", "add", inner, "deep/inner");
  git(library, "commit", "-q", "-m", "inner");
  const origin = createRepository(t, { "main.py": "", ".gitignore": "*.log\n" });
  git(origin, "submodule", "--quiet", "add", library, "vendor/lib");
  git(origin, "commit", "-q", "-m", "lib");
  const folder = `${createFolder(t, {})}/clone`;
  git(origin, "clone", "-q", origin, folder);
  const missing = refuse(folder);
  t.match(missing.message, "vendor/lib: this submodule is not checked out");
  t.equal(missing.hint, `run \`git submodule update --init vendor/lib\` in ${folder}`);
  t.same(listPaths(folder, { code: ["main.py"] }), ["main.py"], "not needed");
  git(folder, "submodule", "--quiet", "update", "--init", "vendor/lib");
  t.match(refuse(folder).message, "vendor/lib/deep/inner: this submodule");
  t.match(refuse(`${folder}/vendor`).message, "lib/deep/inner: this submodule", "below the work tree");
  git(folder, "submodule", "--quiet", "update", "--init", "--recursive");
  addFiles(folder, { "vendor/lib/x.o": "", "vendor/lib/x.log": "", "vendor/lib/new.py": "" });
  const all = [".gitignore", ".gitmodules", "main.py"];
  const lib = [".gitignore", ".gitmodules", "deep/inner/inner.py", "lib.py", "new.py", "x.log"].map(
    (name) => `vendor/lib/${name}`,
  );
  t.same(listPaths(folder), [...all, ...lib]);
  t.same(listPaths(folder, { code: ["vendor/lib/deep"] }), ["vendor/lib/deep/inner/inner.py"]);
  rmSync(`${folder}/vendor/lib`, { recursive: true });
  t.same(listPaths(folder), all, "deleted like a file");
});

t.test("a submodule that was copied without its .git, and one that .gitmodules does not name", options, async (t) => {
  const library = createRepository(t, { "lib.py": "" });
  const folder = createRepository(t, { "main.py": "" });
  git(folder, "submodule", "--quiet", "add", library, "lib");
  rmSync(`${folder}/lib/.git`);
  t.same(listPaths(folder), [".gitmodules", "lib/lib.py", "main.py"]);
  rmSync(`${folder}/lib/lib.py`);
  t.match(refuse(folder).message, "lib: this submodule is not checked out");
  rmSync(`${folder}/.gitmodules`);
  t.same(listPaths(folder), ["main.py"], "git cannot check it out");
});

t.test("other repositories in the project are copied by their own rules", options, async (t) => {
  const folder = createRepository(t, { "main.py": "", ".gitignore": "*.log\n" });
  addFiles(folder, { "nested/a.py": "", "nested/.gitignore": "*.o", "nested/x.o": "", "nested/x.log": "" });
  commitAll(`${folder}/nested`);
  addFiles(folder, { "fresh/b.py": "" });
  git(`${folder}/fresh`, "init", "-q");
  addFiles(folder, { "broken/.git/HEAD": "nonsense", "broken/c.py": "" });
  t.same(listPaths(folder), [
    ".gitignore",
    "broken/c.py",
    "fresh/b.py",
    "main.py",
    "nested/.gitignore",
    "nested/a.py",
    "nested/x.log",
  ]);
  const plain = createFolder(t, { "main.py": "", "x.log": "" });
  renameSync(`${folder}/nested`, `${plain}/nested`);
  t.same(
    listPaths(plain),
    ["main.py", "nested/.gitignore", "nested/a.py", "nested/x.log", "x.log"],
    "in a folder without git",
  );
});

t.test("a linked work tree, and a .git that git does not accept", options, async (t) => {
  const folder = createRepository(t, { "a.py": "", ".gitignore": "*.log" });
  git(folder, "worktree", "add", "-q", `${folder}/linked.log`, "-b", "linked");
  addFiles(folder, { "linked.log/new.py": "", "linked.log/x.log": "" });
  t.same(listPaths(`${folder}/linked.log`), [".gitignore", "a.py", "new.py"]);
  rmSync(`${folder}/.git`, { recursive: true });
  mkdirSync(`${folder}/.git`);
  t.same(listPaths(folder), [".gitignore", "a.py"], "by .gitignore");
  const outer = createRepository(t, { ".gitignore": "*.log" });
  addFiles(outer, { "inner/x.log": "" });
  mkdirSync(`${outer}/inner/.git`);
  t.same(listPaths(`${outer}/inner`), ["x.log"], "not by the rules of another repository");
});

t.test("run directories count only by what they are, whatever git ignores in them", options, async (t) => {
  const folder = createRepository(t, { "w.py": "", ".gitignore": "*.ndjson\n" });
  addFiles(folder, {
    "runs/one/journal.ndjson": '{"n":1,"e":"run"}\n',
    "runs/one/results/r.json": "",
    "runs/notes": "",
  });
  t.same(listPaths(folder), [".gitignore", "runs/notes", "w.py"]);
  t.same(list(folder).leftOut, [{ path: "runs/one", why: "run directory" }]);
});

t.test("odd names", options, async (t) => {
  const names = [
    "? a",
    "H 100644 x 0\ty",
    "line\nbreak",
    "tab\tname",
    "-x",
    "quote\"'",
    "back\\slash",
    "\u00fc/\u4e2d",
    " lead",
    "a\ufffdb",
  ];
  const folder = createRepository(t, Object.fromEntries(names.slice(0, 5).map((name) => [name, ""])));
  addFiles(folder, Object.fromEntries(names.map((name) => [name, ""])));
  t.same(listPaths(folder), [...names].sort());
  writeFileSync(Buffer.from(`${folder}/\u00fc/caf\xe9`.replace("\u00fc", "\xc3\xbc"), "latin1"), "");
  t.match(refuse(folder).message, "\\xc3\\xbc/caf\\xe9: the name of this file is not valid UTF-8");
  git(folder, "add", "-A");
  t.match(refuse(folder).message, "\\xc3\\xbc/caf\\xe9: the name of this file", "tracked");
  t.same(listPaths(folder, { code: ["tab\tname"] }), ["tab\tname"]);
});

t.test("a folder that git cannot read is refused", options, async (t) => {
  const folder = createRepository(t, { "w.py": "" });
  addFiles(folder, { "locked/x": "" });
  t.match(listWithoutPrivileges(folder), { ok: true });
  chmodSync(`${folder}/locked`, 0);
  t.match(listWithoutPrivileges(folder), { ok: false, message: `${folder}/locked/: permission denied`, hint: "chmod" });
  chmodSync(`${folder}/locked`, 0o755);
});

t.test("a repository of another user, and a damaged one", options, async (t) => {
  const folder = createRepository(t, { "w.py": "" });
  addFiles(folder, { "new.py": "" });
  const damaged = createRepository(t, { "w.py": "" });
  writeFileSync(`${damaged}/.git/index`, "nonsense, long enough to have a checksum at its end");
  t.match(refuse(damaged), { message: `${damaged}: git cannot list its files: `, hint: "git status" });
  if (process.getuid?.() !== 0) return void t.comment("only root can give a repository to another user");
  for (const path of [folder, `${folder}/.git`]) lchownSync(path, 4242, 4242);
  t.same(refuse(folder), {
    message: `${folder}: git refuses this repository, because it belongs to another user`,
    hint: `if you trust it, run \`git config --global --add safe.directory ${folder}\``,
  });
});

import t from "tap";
import { findMissingNames, type MissingName } from "../../../../executor/job/project/missingnames.js";

const path = (name: string): MissingName[] => [{ kind: "path", name }];
const module = (name: string): MissingName[] => [{ kind: "module", name }];

// As Python 3.11, dash 0.5.12, bash 5.2, GNU coreutils 9.1, mawk 1.3, perl 5.36, node 20, gcc 12 and make 4.3 print it.
const OUTPUTS: [program: string, stderr: string, found: MissingName[]][] = [
  [
    "python import",
    "Traceback (most recent call last):\n  File \"<string>\", line 1, in <module>\nModuleNotFoundError: No module named 'nolib'\n",
    module("nolib"),
  ],
  ["python import of a submodule", "ModuleNotFoundError: No module named 'pkg.helper'\n", module("pkg.helper")],
  [
    "python from import",
    "ImportError: cannot import name 'helper' from 'pkg' (/tmp/x/pkg/__init__.py)\n",
    module("pkg.helper"),
  ],
  [
    "python from import, namespace",
    "ImportError: cannot import name 'a' from 'p.q' (unknown location)",
    module("p.q.a"),
  ],
  [
    "python -m, no package",
    "/usr/bin/python3: Error while finding module specification for 'nopkg.mod' (ModuleNotFoundError: No module named 'nopkg')\n",
    module("nopkg"),
  ],
  ["python -m, no module", "/usr/bin/python3: No module named pkg.mod\n", module("pkg.mod")],
  [
    "python open",
    "    fid = open(name)\n          ^^^^^^^^^^\nFileNotFoundError: [Errno 2] No such file or directory: 'conf/a.yaml'\n",
    path("conf/a.yaml"),
  ],
  ["python, a quote", 'FileNotFoundError: [Errno 2] No such file or directory: "it\'s"\n', path("it's")],
  ["python rename", "FileNotFoundError: [Errno 2] No such file or directory: 'in/a' -> 'in/b'\n", path("in/a")],
  [
    "python script",
    "python3: can't open file '/tmp/x/nos/x.py': [Errno 2] No such file or directory\n",
    path("/tmp/x/nos/x.py"),
  ],
  ["dash, a program", "sh: 1: ./tool: not found\n", path("./tool")],
  ["dash, a word", "sh: 1: tool_x: not found\n", path("tool_x")],
  ["dash, a script", "sh: 0: cannot open nofile.sh: No such file\n", path("nofile.sh")],
  ["dash, a redirection", "sh: 1: cannot open data/in.txt: No such file\n", path("data/in.txt")],
  ["dash, cd", "sh: 1: cd: can't cd to build_x\n", path("build_x")],
  ["bash, a program", "bash: line 1: ./tool: No such file or directory\n", path("./tool")],
  ["bash, a word", "bash: line 1: tool_x: command not found\n", path("tool_x")],
  ["bash, a script", "bash: nofile.sh: No such file or directory\n", path("nofile.sh")],
  ["bash, cd", "bash: line 1: cd: build_x: No such file or directory\n", path("build_x")],
  ["cat", "cat: data/big.bin: No such file or directory\n", path("data/big.bin")],
  ["ls", "ls: cannot access 'data/x': No such file or directory\n", path("data/x")],
  ["cp", "cp: cannot stat 'data/x': No such file or directory\n", path("data/x")],
  ["head", "head: cannot open 'data/x' for reading: No such file or directory\n", path("data/x")],
  ["sed", "sed: can't read data/x: No such file or directory\n", path("data/x")],
  ["mawk", "mawk: cannot open data/x (No such file or directory)\n", path("data/x")],
  ["perl script", 'Can\'t open perl script "x/y.pl": No such file or directory\n', path("x/y.pl")],
  ["perl die", "data/x: No such file or directory at -e line 1.\n", path("data/x")],
  ["perror", "data/x: No such file or directory\n", path("data/x")],
  [
    "gcc",
    'c.c:1:10: fatal error: foo.h: No such file or directory\n    1 | #include "foo.h"\n      |          ^~~~~~~\ncompilation terminated.\n',
    path("foo.h"),
  ],
  ["make", "make: *** No rule to make target 'dep.c', needed by 'all'.  Stop.\n", path("dep.c")],
  ["the agent", "./tool could not be started: No such file or directory (./tool)\n", path("./tool")],
  [
    "node require",
    "  throw err;\n  ^\n\nError: Cannot find module './lib/x'\nRequire stack:\n- /tmp/x/a.js\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1207:15) {\n  code: 'MODULE_NOT_FOUND',\n  requireStack: [ '/tmp/x/a.js' ]\n}\n\nNode.js v20.20.2\n",
    [{ kind: "node module", name: "./lib/x", from: "/tmp/x/a.js" }],
  ],
  [
    "node import",
    "Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/tmp/x/lib/x.js' imported from /tmp/x/b.mjs\n    at finalizeResolution (node:internal/modules/esm/resolve:283:11)\n",
    [{ kind: "node module", name: "/tmp/x/lib/x.js", from: "/tmp/x/b.mjs" }],
  ],
  [
    "node open",
    "Error: ENOENT: no such file or directory, open 'data/x.json'\n    at Object.openSync (node:fs:573:18) {\n  errno: -2,\n  code: 'ENOENT',\n  syscall: 'open',\n  path: 'data/x.json'\n}\n",
    path("data/x.json"),
  ],
  ["another error", "ZeroDivisionError: division by zero\n", []],
  ["a package of node", "Error: Cannot find module 'left-pad'\n", []],
  ["nothing", "", []],
];

for (const [program, stderr, found] of OUTPUTS)
  t.test(program, async (t) => t.same(findMissingNames(stderr), found, stderr));

t.test("the last names come first, each once, and no more than five", async (t) => {
  const lines = ["a", "b", "c", "d", "e", "f", "e"].map((name) => `cat: ${name}: No such file or directory\r\n`);
  t.same(
    findMissingNames(lines.join("")).map(({ name }) => name),
    ["e", "f", "d", "c", "b"],
  );
  t.same(findMissingNames(`${"x".repeat(10_000)}: not found`), [], "data, not a message");
});

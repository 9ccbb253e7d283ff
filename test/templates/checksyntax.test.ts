import { spawnSync } from "node:child_process";
import t from "tap";
import { checkSyntaxSource } from "../../templates/nodeprograms.js";

interface Request {
  entries?: string[];
  modules?: string[];
  cwd?: string;
  roots?: string[];
}

/** Runs the program with each line of stdin as its request. */
const EACH_LINE = `import io, sys
names = {"__name__": "check_syntax"}
exec(compile(SOURCE, "check_syntax.py", "exec"), names)
for line in sys.stdin.read().splitlines():
    sys.stdin = io.StringIO(line)
    names["main"]()`;

function encodeRequest(files: Record<string, string | Buffer>, request: Request): string {
  const encoded = Object.entries(files).map(([path, text]) => [path, Buffer.from(text).toString("base64")]);
  const defaults = { entries: [], modules: [], cwd: ".", roots: [] };
  return JSON.stringify({ ...defaults, ...request, files: Object.fromEntries(encoded) });
}

const BAD = "x = 1\nd d\n";
type Row = [what: string, files: Record<string, string | Buffer>, request: Request, faults: string[]];
const MAIN: Request = { entries: ["main.py"] };
const MANY = { "main.py": "import a, b, c, d", "a.py": BAD, "b.py": BAD, "c.py": BAD, "d.py": BAD };
const TABLE: Row[] = [
  ["the file that is started", { "main.py": BAD }, MAIN, ["main.py:2"]],
  ["return outside a function", { "main.py": "return\n" }, MAIN, ["main.py:1"]],
  ["an import", { "main.py": "import a", "a.py": BAD }, MAIN, ["a.py:2"]],
  ["an import of an import", { "main.py": "import a", "a.py": "import b", "b.py": BAD }, MAIN, ["b.py:2"]],
  ["modules that import each other", { "main.py": "import a", "a.py": "import main" }, MAIN, []],
  ["a package", { "main.py": "import p.q", "p/__init__.py": BAD, "p/q.py": "" }, MAIN, ["p/__init__.py:2"]],
  ["a folder as a package", { "main.py": "import p.q", "p/q.py": BAD }, MAIN, ["p/q.py:2"]],
  ["a name that a package may define", { "main.py": "from p import q", "p/__init__.py": "", "p/q.py": BAD }, MAIN, []],
  ["a name of a folder", { "main.py": "from p import q", "p/q.py": BAD }, MAIN, ["p/q.py:2"]],
  [
    "an import after other statements",
    { "main.py": "import a\nx = 1\nprint(x)\nimport b", "a.py": "", "b.py": BAD },
    MAIN,
    [],
  ],
  [
    "an import after definitions",
    { "main.py": '"""Doc."""\nX = 1\ndef f(): pass\nimport b', "b.py": BAD },
    MAIN,
    ["b.py:2"],
  ],
  ["a module of the standard library", { "main.py": "import stat, io", "stat.py": BAD, "io.py": BAD }, MAIN, []],
  ["a zip archive", { "app.pyz": Buffer.from("#!/usr/bin/python3\nPK\x03\x04\0\0") }, { entries: ["app.pyz"] }, []],
  ["an encoding that is registered later", { "main.py": "# -*- coding: mine -*-\n" }, MAIN, []],
  [
    "a relative import",
    { "main.py": "import p", "p/__init__.py": "from .q import x", "p/q.py": "from .r import y", "p/r.py": BAD },
    MAIN,
    ["p/r.py:2"],
  ],
  [
    "the folder above",
    { "main.py": "import p.q.r", "p/q/r.py": "from .. import s", "p/s.py": BAD },
    MAIN,
    ["p/s.py:2"],
  ],
  [
    "a folder of the search path",
    { "main.py": "import a", "src/a.py": BAD },
    { ...MAIN, roots: ["src"] },
    ["src/a.py:2"],
  ],
  [
    "the script's own folder",
    { "jobs/main.py": "import a", "jobs/a.py": BAD },
    { entries: ["jobs/main.py"] },
    ["jobs/a.py:2"],
  ],
  ["a module that is started", { "tool/cli.py": BAD }, { modules: ["tool.cli"] }, ["tool/cli.py:2"]],
  [
    "a package that is started",
    { "tool/__init__.py": "", "tool/__main__.py": BAD },
    { modules: ["tool"] },
    ["tool/__main__.py:2"],
  ],
  ["an import in a branch", { "main.py": "try:\n import a\nexcept SyntaxError: pass", "a.py": BAD }, MAIN, []],
  ["an import in a function", { "main.py": "def f():\n import a", "a.py": BAD }, MAIN, []],
  ["more than three faults", MANY, MAIN, ["a.py:2", "b.py:2", "c.py:2"]],
  ["nobody's import", { "main.py": "", "a.py": BAD }, MAIN, []],
  ["a module that is built in", { "main.py": "import sys", "sys.py": BAD }, MAIN, []],
  ["another encoding", { "main.py": Buffer.from("# -*- coding: latin-1 -*-\nx = '\xe4'\n", "latin1") }, MAIN, []],
  ["a byte order mark", { "main.py": "\ufeffx = 1\n" }, MAIN, []],
];
t.test("syntax errors in what is certain to be imported are found", async (t) => {
  const input = TABLE.map(([, files, request]) => encodeRequest(files, request)).join("\n");
  const program = EACH_LINE.replace("SOURCE", () => JSON.stringify(checkSyntaxSource()));
  const { stdout, stderr } = spawnSync("python3", ["-c", program], { input, encoding: "utf8" });
  const lines = stdout.trim().split("\n");
  t.equal(lines.length, TABLE.length, stderr);
  for (const [index, [what, , , expected]] of TABLE.entries()) {
    const { faults, version } = JSON.parse(lines[index]!);
    const places = faults.map((fault: [string, number]) => `${fault[0]}:${fault[1]}`);
    t.same(places, expected, what);
    t.match(version, /^3\.\d+\.\d+$/);
  }
});

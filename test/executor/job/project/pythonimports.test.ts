import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { findImports } from "../../../../executor/job/project/importscan.js";

/** Writes imports as text: `a.b`, `.:x,y` and `..pkg:y`. */
const show = (source: string) =>
  findImports(source).map(
    ({ module, level, names }) => `${".".repeat(level)}${module}${names.length === 0 ? "" : `:${names.join(",")}`}`,
  );

t.test("imports that count", async (t) => {
  const table: [source: string, wanted: string[]][] = [
    ["import a", ["a"]],
    ["import a.b.c as d, e, f as g\n", ["a.b.c", "e", "f"]],
    ["import a . b", ["a.b"]],
    ["from a.b import c as d, e", ["a.b:c,e"]],
    ["from . import x", [".:x"]],
    ["from .import x", [".:x"]],
    ["from.mod import x", [".mod:x"]],
    ["from ..pkg import y as z", ["..pkg:y"]],
    ["from . . pkg . sub import y", ["..pkg.sub:y"]],
    ["from ... import y", ["...:y"]],
    ["from a import *", ["a:*"]],
    ["from a import (b, # first\n  c as d,\n)\nimport e", ["a:b,c", "e"]],
    ["from a import(b)", ["a:b"]],
    ["from a \\\n  import b, \\\r\n  c", ["a:b,c"]],
    ["\timport a\r\n\fimport b\rimport c", ["a", "b", "c"]],
    ["import a; import b;from c import d", ["a", "b", "c:d"]],
    ["try: import a\nexcept ImportError: import b\nelse:\n  import c", ["a", "b", "c"]],
    ["if x[1:2] == {'a': 3}: from a import b", ["a:b"]],
    ["def f(x: int = 3) -> 'str': import a", ["a"]],
    ["import a # import b", ["a"]],
    ["x = '#'; import a", ["a"]],
    ['x = "it\'s"; import a', ["a"]],
    ['x = r"\\"; import a"; import b', ["b"]],
    ["x = 'open\nimport a", ["a"]],
    ["x = 'continued\\\nimport a'\nimport b", ["b"]],
    ["\ufeffimport a", ["a"]],
    ["import \u00fcber.\u4e2d", ["\u00fcber.\u4e2d"]],
    ["x = f(1,\n  2)\nimport a", ["a"]],
    ["x = 1)\nfrom a import (b,\n  c)", ["a:b,c"]],
    ["async def f():\n  import a", ["a"]],
    ["from __future__ import annotations", ["__future__:annotations"]],
  ];
  for (const [source, wanted] of table) t.same(show(source), wanted, JSON.stringify(source));
});

t.test("text that is no import", async (t) => {
  const table = [
    "",
    '"""import a\nimport b\n"""',
    "'''\nfrom a import b\n'''",
    'x = """a " "" \\""" import b\nimport c\n"""',
    "r'''\nimport a\\'''\nimport b'''",
    "# import a\n  # from a import b",
    'print("import a")',
    "x = ('a'\n import_b)",
    "important = 1\nimport_x = 2\nfrom_a = 3",
    "yield from a\nraise X from import_error",
    "__import__('a')",
    "import",
    "from import x",
    "from a importb",
    "import 1a, a..b, -c",
  ];
  for (const source of table) t.same(show(source), [], JSON.stringify(source));
});

t.test("no text makes it fail or hang, and what stands on a line of its own is found", async (t) => {
  const pieces = fc.constantFrom(
    "import a",
    "from .b import c",
    '"""',
    "'",
    "(",
    ")",
    "#",
    "\\",
    "\n",
    ":",
    ";",
    " ",
    "x",
  );
  fc.assert(fc.property(fc.array(pieces), (all) => Array.isArray(findImports(all.join("")))));
  const closed = fc.constantFrom(
    "x = 1",
    '"""doc\nimport no\n"""',
    "f(\n)",
    "# '",
    "s = 'import no'",
    "if x:\n  y = [1,\n 2]",
  );
  fc.assert(
    fc.property(fc.array(closed), fc.array(closed), (before, after) => {
      return show([...before, "import found", ...after].join("\n")).join() === "found";
    }),
  );
  const started = performance.now();
  findImports(`"""${"a\\b".repeat(1 << 20)}`);
  findImports("(".repeat(1 << 20));
  findImports("import a\n".repeat(1 << 17));
  t.ok(performance.now() - started < 10_000, "linear");
});

/** Prints what Python itself finds in the modules of its standard library: a path and its imports, per line. */
const PYTHON_IMPORTS = `
import ast, glob, json, os
for path in sorted(glob.glob(os.path.dirname(os.__file__) + "/*.py") + glob.glob(os.path.dirname(os.__file__) + "/asyncio/*.py")):
    found = []
    for node in ast.walk(ast.parse(open(path, "rb").read())):
        if isinstance(node, ast.Import):
            found += [[node.lineno, node.col_offset, at, name.name, 0, []] for at, name in enumerate(node.names)]
        elif isinstance(node, ast.ImportFrom):
            found.append([node.lineno, node.col_offset, 0, node.module or "", node.level, [name.name for name in node.names]])
    print(json.dumps([path, [one[3:] for one in sorted(found)]]))
`;

t.test("the same imports as Python finds in its standard library", async (t) => {
  const { stdout } = spawnSync("python3", ["-c", PYTHON_IMPORTS], { encoding: "utf8", maxBuffer: 1 << 26 });
  const modules = stdout.trim().split("\n");
  t.ok(modules.length > 100, `${modules.length} files`);
  for (const line of modules) {
    const [path, wanted] = JSON.parse(line) as [string, unknown];
    const found = findImports(readFileSync(path, "utf8")).map(({ module, level, names }) => [module, level, names]);
    if (JSON.stringify(found) !== JSON.stringify(wanted)) t.same(found, wanted, path);
  }
});

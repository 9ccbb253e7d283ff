import t from "tap";
import { scanImports, scanModuleImports } from "../../../../executor/job/project/importscan.js";

type Files = Record<string, string>;

const script = (path: string, files: Files) => scanImports({ path }, new Set(Object.keys(files)), (one) => files[one]);
const module = (name: string, cwd: string, files: Files) =>
  scanModuleImports({ module: name, cwd }, new Set(Object.keys(files)), (one) => files[one]);

t.test("modules beside the script, and what they import", async (t) => {
  const files = {
    "main.py": "import helper, json, numpy\nfrom lib.deep import part",
    "helper.py": "import main\nfrom lib import other",
    "unused.py": "",
    "lib/__init__.py": "from .base import Base",
    "lib/base.py": "",
    "lib/other.py": "",
    "lib/unused.py": "",
    "lib/deep/__init__.py": "from ..sibling import (x)",
    "lib/deep/part.py": "from . import near\nfrom .. import top",
    "lib/deep/near.py": "",
    "lib/top.py": "",
    "lib/sibling.py": "",
    "lib/data.json": "",
  };
  t.same(script("main.py", files), {
    files: Object.keys(files)
      .filter((path) => !path.includes("unused") && path.endsWith(".py"))
      .sort(),
    importRoots: [],
    unresolved: ["json", "numpy"],
  });
});

t.test("import roots, each only where an import needs it", async (t) => {
  const table: [what: string, path: string, files: Files, importRoots: string[], needed: string[]][] = [
    [
      "the root",
      "scripts/run.py",
      { "scripts/run.py": "import pkg.core", "pkg/__init__.py": "", "pkg/core.py": "" },
      ["."],
      ["pkg/__init__.py", "pkg/core.py", "scripts/run.py"],
    ],
    [
      "src/",
      "run.py",
      { "run.py": "from pkg import core", "src/pkg/__init__.py": "", "src/pkg/core.py": "" },
      ["src"],
      ["run.py", "src/pkg/__init__.py", "src/pkg/core.py"],
    ],
    [
      "both",
      "bin/run.py",
      { "bin/run.py": "import a, b", "a.py": "", "src/b.py": "" },
      [".", "src"],
      ["a.py", "bin/run.py", "src/b.py"],
    ],
    [
      "neither: it lies beside the script",
      "bin/run.py",
      { "bin/run.py": "import a", "bin/a.py": "", "a.py": "", "src/a.py": "" },
      [],
      ["bin/a.py", "bin/run.py"],
    ],
    [
      "the root comes before src/",
      "bin/run.py",
      { "bin/run.py": "import a", "a.py": "", "src/a.py": "" },
      ["."],
      ["a.py", "bin/run.py"],
    ],
    [
      "a script within its package",
      "pkg/cli.py",
      { "pkg/cli.py": "from pkg.core import x", "pkg/__init__.py": "", "pkg/core.py": "" },
      ["."],
      ["pkg/__init__.py", "pkg/cli.py", "pkg/core.py"],
    ],
    [
      "a script in src/ itself",
      "src/run.py",
      { "src/run.py": "import a", "src/a.py": "" },
      [],
      ["src/a.py", "src/run.py"],
    ],
    [
      "needed by a module only",
      "bin/run.py",
      { "bin/run.py": "import a", "bin/a.py": "import b", "b.py": "" },
      ["."],
      ["b.py", "bin/a.py", "bin/run.py"],
    ],
    [
      "modules beside an imported one do not count",
      "run.py",
      { "run.py": "import pkg.a", "pkg/a.py": "import b", "pkg/b.py": "" },
      [],
      ["pkg/a.py", "run.py"],
    ],
    [
      "a folder without __init__.py",
      "bin/run.py",
      { "bin/run.py": "import ns.sub.mod\nfrom ns import other", "ns/sub/mod.py": "", "ns/other.py": "" },
      ["."],
      ["bin/run.py", "ns/other.py", "ns/sub/mod.py"],
    ],
    [
      "a folder that holds no such module",
      "bin/run.py",
      { "bin/run.py": "import yaml\nfrom docker import client", "yaml/x.yaml": "", "docker/build.py": "" },
      [],
      ["bin/run.py"],
    ],
    [
      "a module in src/ wins over a folder in the root",
      "bin/run.py",
      { "bin/run.py": "import ns.a", "ns/a.py": "", "src/ns/__init__.py": "", "src/ns/a.py": "" },
      ["src"],
      ["bin/run.py", "src/ns/__init__.py", "src/ns/a.py"],
    ],
    [
      "the standard library wins over the root",
      "bin/run.py",
      { "bin/run.py": "import queue, types", "queue.py": "", "types.py": "" },
      [],
      ["bin/run.py"],
    ],
    [
      "but not over the script's folder",
      "run.py",
      { "run.py": "import queue", "queue.py": "" },
      [],
      ["queue.py", "run.py"],
    ],
    [
      "compiled modules",
      "run.py",
      { "run.py": "import fast, pkg.ext", "fast.cpython-311-x86_64-linux-gnu.so": "", "pkg/ext.so": "import no" },
      [],
      ["fast.cpython-311-x86_64-linux-gnu.so", "pkg/ext.so", "run.py"],
    ],
  ];
  for (const [what, path, files, importRoots, needed] of table) {
    const scan = script(path, files);
    t.same([scan.importRoots, scan.files], [importRoots, needed], what);
  }
});

t.test("what is not found", async (t) => {
  const table: [what: string, files: Files, unresolved: string[]][] = [
    ["a part of a package", { "run.py": "import pkg.none.deep", "pkg/__init__.py": "" }, ["pkg.none.deep"]],
    ["an attribute is no module", { "run.py": "from pkg import attribute", "pkg/__init__.py": "" }, []],
    ["below a module that is no package", { "run.py": "import mod.sub", "mod.py": "" }, ["mod.sub"]],
    ["a relative module", { "run.py": "from .none import x\nfrom . import y", "a.py": "" }, [".none", ".y"]],
    ["above the project", { "run.py": "from .. import x\nfrom ...y import z" }, ["..", "...y"]],
    ["a name in a folder without __init__.py", { "run.py": "from ns import a, b", "ns/a.py": "" }, ["ns.b"]],
  ];
  for (const [what, files, unresolved] of table) t.same(script("run.py", files).unresolved, unresolved, what);
  t.same(script("none.py", { "a.py": "" }), { files: [], importRoots: [], unresolved: [] }, "the script itself");
  const unreadable = scanImports({ path: "run.py" }, new Set(["run.py"]), () => undefined);
  t.same(unreadable, { files: ["run.py"], importRoots: [], unresolved: [] }, "a file that cannot be read");
});

t.test("python -m", async (t) => {
  const files = {
    "pkg/__init__.py": "",
    "pkg/__main__.py": "from .core import run",
    "pkg/core.py": "import helper",
    "pkg/tool.py": "from pkg import core",
    "helper.py": "",
    "src/other/__init__.py": "",
    "src/other/main.py": "",
    "examples/local.py": "import helper",
  };
  const all = ["helper.py", "pkg/__init__.py", "pkg/__main__.py", "pkg/core.py"];
  t.same(module("pkg", ".", files), { files: all, importRoots: [], unresolved: [] });
  t.same(module("pkg", "examples", files), { files: all, importRoots: ["."], unresolved: [] }, "from another folder");
  t.same(module("pkg.tool", ".", files).files, ["helper.py", "pkg/__init__.py", "pkg/core.py", "pkg/tool.py"]);
  t.same(module("other.main", ".", files), {
    files: ["src/other/__init__.py", "src/other/main.py"],
    importRoots: ["src"],
    unresolved: [],
  });
  t.same(module("local", "examples/", files), {
    files: ["examples/local.py", "helper.py"],
    importRoots: ["."],
    unresolved: [],
  });
  t.same(module("other", ".", files).unresolved, ["other"], "a package that cannot be executed");
  t.same(module("pkg.none", ".", files).unresolved, ["pkg.none"]);
  t.same(module("http.server", ".", files), { files: [], importRoots: [], unresolved: ["http.server"] });
});

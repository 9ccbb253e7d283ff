import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";

/** What Python 3.8 does not have, in syntax or by name: nodes may have no newer one. */
const FIND_NEWER = `
import ast, sys
NEWER = {"removeprefix", "removesuffix", "pidfd_open", "pidfd_send_signal", "randbytes", "bit_count", "file_digest", "pairwise",
    "batched", "waitstatus_to_exitcode", "is_relative_to", "zoneinfo", "tomllib"}
for file in sys.argv[1:]:
    tree = ast.parse(open(file).read(), file, feature_version=(3, 8))
    for node in ast.walk(tree):
        name = getattr(node, "attr", None) or getattr(node, "id", None)
        if name in NEWER:
            print(file, name)
`;

t.test("programs for nodes are valid Python 3.8", async (t) => {
  const files = ["templates", "examples"].flatMap((folder) =>
    readdirSync(join(projectRoot(), folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".py") && !name.includes("runs/"))
      .map((name) => join(projectRoot(), folder, name)),
  );
  t.ok(files.length > 30, `${files.length} files`);
  t.equal(execFileSync("python3", ["-c", FIND_NEWER, ...files], { encoding: "utf8" }), "");
});

/**
 * The folders of the agent in the order of muster_agent/__init__.py: a module imports from its own folder and from later ones.
 * Imports for the type checker do not count.
 */
const FIND_IMPORTS = `
import ast, os, sys
ORDER = ["attach", "clean", "following", "daemon", "commands", "shutdown", "allocation", "settings", "storage", "cache", "builds", "in_place", "attempts", "state", "workspace", "gpu", "locks", "connection", "processes",
    "access", "wakeup", "paths", "byte_text", "errors", "wire"]
root = sys.argv[1]
for folder, _, names in os.walk(root):
    for name in names:
        path = os.path.relpath(os.path.join(folder, name), root)
        parts = path[: -len(".py")].split(os.sep)
        if not name.endswith(".py") or parts[0] == "__init__":
            continue
        tree = ast.parse(open(os.path.join(root, path)).read())
        checks = [node for node in tree.body if not (isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING")]
        for node in (inner for outer in checks for inner in ast.walk(outer) if isinstance(inner, ast.ImportFrom) and inner.level):
            target = (parts[: len(parts) - node.level] + node.module.split("."))[0]
            if ORDER.index(target) < ORDER.index(parts[0]):
                print(path, "imports", target)
`;

t.test("modules of the agent import downwards", async (t) => {
  const folder = join(projectRoot(), "templates/muster_agent");
  t.equal(execFileSync("python3", ["-c", FIND_IMPORTS, folder], { encoding: "utf8" }), "");
});

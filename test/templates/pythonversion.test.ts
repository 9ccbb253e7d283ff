import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";

/** What Python 3.8 does not have, in syntax or by name: nodes may have no newer one. */
const LOOK = `
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

t.test("what runs on nodes is Python 3.8", async (t) => {
  const files = ["templates", "examples"].flatMap((folder) =>
    readdirSync(join(projectRoot(), folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".py") && !name.includes("runs/"))
      .map((name) => join(projectRoot(), folder, name)),
  );
  t.ok(files.length > 30, `${files.length} files`);
  t.equal(execFileSync("python3", ["-c", LOOK, ...files], { encoding: "utf8" }), "");
});

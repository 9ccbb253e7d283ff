import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../../templates/programfolder.js";

t.test("test/long.txt names files that are there, sorted, each once", async (t) => {
  const lines = readFileSync(join(projectRoot(), "test/long.txt"), "utf8").trimEnd().split("\n");
  const files = lines.filter((line) => !line.startsWith("#"));
  t.same(files, [...new Set(files)].sort());
  for (const file of files) t.ok(existsSync(join(projectRoot(), file)), file);
});

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { saveBuildLog } from "../../../../executor/run/node/buildlog.js";

t.test("a build's log is named after its node, also after a pilot of a cluster", async (t) => {
  const logs = mkdtempSync(join(tmpdir(), "buildlog-"));
  t.teardown(() => rmSync(logs, { recursive: true }));
  const files = async () => {
    throw new Error("the connection is gone");
  };
  for (const [node, name] of [
    ["rig-1", "build-rig-1.log"],
    ["hpc/72", "build-hpc%2F72.log"],
  ] as const) {
    const path = await saveBuildLog({ files, root: "/work", logs, node }, `error on ${node}\n`);
    t.equal(path, join(logs, name));
    t.equal(readFileSync(path!, "utf8"), `error on ${node}\n`);
  }
});

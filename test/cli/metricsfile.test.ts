import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { writeMetrics } from "../../cli/metricsfile.js";

const families = [{ name: "muster_x", help: "Help.", samples: [{ labels: {}, value: 1 }] }];

t.test("metrics are readable by all users under any umask", async (t) => {
  const before = process.umask();
  t.teardown(() => process.umask(before));
  for (const mask of [0, 0o022, 0o027, 0o077, 0o777]) {
    const file = join(t.testdir({}), "run.prom");
    process.umask(mask);
    writeMetrics(file, families);
    t.equal(statSync(file).mode & 0o777, 0o644, mask.toString(8));
    chmodSync(file, 0o600);
    writeMetrics(file, families);
    t.equal(statSync(file).mode & 0o777, 0o644, "also where an older file was not");
    process.umask(before);
    t.match(readFileSync(file, "utf8"), /^muster_x 1$/m);
  }
});

t.test("a folder that cannot be written to is named", async (t) => {
  const file = join(t.testdir({}), "file");
  writeFileSync(file, "");
  t.throws(() => writeMetrics(join(file, "run.prom"), families), { message: /cannot write the file \(ENOTDIR\)/ });
});

import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { LiveFile, type LiveRun, readLiveRun } from "../../../../executor/run/record/liverun.js";
import { waitUntil } from "../../../lab/waituntil.js";
import { createLiveRun } from "../../../report/liverunsample.js";

function createRun(t: Test): string {
  const path = t.testdir({ "journal.ndjson": "" });
  writeFileSync(join(path, "journal.ndjson"), "", { mode: 0o600 });
  return path;
}

t.test("the file is replaced at most once a second, where something has changed, and removed at the end", async (t) => {
  const path = createRun(t);
  let live: LiveRun = createLiveRun();
  let builds = 0;
  const began = performance.now();
  const file = new LiveFile(path, () => {
    builds++;
    return live;
  });
  t.match(readLiveRun(path, 1), { name: "sieve", running: 1 });
  t.equal(readLiveRun(path, 2), undefined, "another session wrote it");
  const { ino } = statSync(join(path, "live.json"));
  live = createLiveRun({ written: "2030-01-01T00:00:00.000Z" });
  await waitUntil("it was built twice", () => builds === 2);
  t.ok(performance.now() - began > 990);
  t.equal(statSync(join(path, "live.json")).ino, ino, "only the time is another one");
  live = createLiveRun({ running: 2 });
  await waitUntil("it was built again", () => builds === 3);
  t.not(statSync(join(path, "live.json")).ino, ino, "it was replaced");
  t.equal(readLiveRun(path, 1)?.running, 2);
  live = createLiveRun({ running: 0 });
  file.close();
  t.equal(file.current.running, 0);
  t.notOk(existsSync(join(path, "live.json")));
});

t.test("what is no live.json of this version is not read", async (t) => {
  const path = createRun(t);
  for (const text of ["", "{", "null", '{"version":2,"session":1}']) {
    writeFileSync(join(path, "live.json"), text);
    t.equal(readLiveRun(path, 1), undefined, text);
  }
});

t.test("a folder that cannot be written stops nothing", async (t) => {
  const path = createRun(t);
  writeFileSync(join(path, "live.json.partial"), "");
  const blocked = t.testdir({ "journal.ndjson": "", "live.json": { "a folder": "in the way" } });
  const file = new LiveFile(blocked, () => createLiveRun());
  t.equal(file.current.running, 1);
  file.close();
  t.equal(readFileSync(join(blocked, "live.json/a folder"), "utf8"), "in the way");
});

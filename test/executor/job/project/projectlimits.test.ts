import { linkSync, truncateSync } from "node:fs";
import t from "tap";
import { rejectLargeProject } from "../../../../executor/job/project/projectlimits.js";
import { addFiles, createFolder, listPaths, refuse } from "./projectfixture.js";

t.test("a project that is too large is refused with its largest folders", async (t) => {
  const folder = createFolder(t, { "src/a.py": "", "small/x": "", "mid/x": "", "tiny/x": "" });
  for (let n = 0; n < 30; n++) {
    addFiles(folder, { [`exp/data/images/${n}`]: "" });
    truncateSync(`${folder}/exp/data/images/${n}`, 3.5 * 2 ** 20);
  }
  truncateSync(`${folder}/mid/x`, 2 * 2 ** 20);
  truncateSync(`${folder}/small/x`, 1.5 * 2 ** 20);
  const { message, hint } = refuse(folder);
  t.equal(
    message,
    `the project ${folder} is too large to copy to nodes: 34 files of 109 MB; the limit is 20,000 files of 100 MB. Its largest folders: ` +
      "exp/data/images/ 30 files of 105 MB, mid/ 1 file of 2 MB, small/ 1 file of 1.5 MB",
  );
  t.match(hint, /`code: \[src\/, conf\/\]`.*`project: none`.*\.gitignore.*`inputs`/);
  t.same(listPaths(folder, { code: ["src", "mid"] }), ["mid/x", "src/a.py"]);
  addFiles(folder, { ".gitignore": "data/" });
  t.equal(listPaths(folder).length, 5);
});

t.test("the number of files is limited", async (t) => {
  const files = Array.from({ length: 20_000 }, (_, n) => ({ path: `many/${n}`, sizeBytes: 0 }));
  rejectLargeProject("/p", files, false);
  const more = [...files, { path: "src/a.py", sizeBytes: 0 }];
  const message =
    "the project /p is too large to copy to nodes: 20,001 files of 0 MB; the limit is 20,000 files of 100 MB. " +
    "Its largest folders: many/ 20,000 files of 0 MB, src/ 1 file of 0 MB";
  t.throws(() => rejectLargeProject("/p", more, false), { message });
  const limit = [{ path: "a", sizeBytes: 100 * 2 ** 20 }];
  rejectLargeProject("/p", limit, false);
  t.throws(
    () => rejectLargeProject("/p", [...limit, { path: "b", sizeBytes: 1 }], false),
    /2 files of 100 MB; the limit/,
  );
});

t.test("a huge folder is not scanned to its end", async (t) => {
  const folder = createFolder(t, { "src/a.py": "", "many/0": "" });
  // Links to one file cost less than files.
  for (let n = 1; n <= 50_001; n++) linkSync(`${folder}/many/0`, `${folder}/many/${n}`);
  t.match(refuse(folder).message, "more than 50,000 files of 0 MB");
  t.same(listPaths(folder, { code: ["src"] }), ["src/a.py"]);
  t.same(listPaths(folder, { exclude: new Set(["many"]) }), ["src/a.py"]);
  addFiles(folder, { "many/journal.ndjson": '{"n":1,"e":"run","id":"x"}\n' });
  t.same(listPaths(folder), ["src/a.py"], "a run directory does not count");
});

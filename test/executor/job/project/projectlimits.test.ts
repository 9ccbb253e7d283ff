import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import t from "tap";
import { addFiles, createFolder, listPaths, refuse } from "./projectfixture.js";

const RUN = '{"n":1,"e":"run","id":"x"}\n';

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
    `the project ${folder} is too large to go along: 34 files of 109 MB; the limit is 20,000 files of 100 MB. Its largest folders: ` +
      "exp/data/images/ 30 files of 105 MB, mid/ 1 file of 2 MB, small/ 1 file of 1.5 MB",
  );
  t.match(hint, /`code: \[src\/, conf\/\]`.*`project: none`.*\.gitignore.*`inputs`/);
  t.same(listPaths(folder, { code: ["src", "mid"] }), ["mid/x", "src/a.py"]);
  addFiles(folder, { ".gitignore": "data/" });
  t.equal(listPaths(folder).length, 5);
});

t.test("the number of files is limited, and a huge folder is not scanned to its end", async (t) => {
  const folder = createFolder(t, { "src/a.py": "" });
  for (let n = 0; n < 20_000; n++) {
    if (n % 1000 === 0) mkdirSync(`${folder}/many/${n / 1000}`, { recursive: true });
    writeFileSync(`${folder}/many/${Math.floor(n / 1000)}/${n}`, "");
  }
  t.match(
    refuse(folder).message,
    "20,001 files of 0 MB; the limit is 20,000 files of 100 MB. Its largest folders: many/ 20,000 files",
  );
  t.same(listPaths(folder, { code: ["src"] }), ["src/a.py"]);
  t.equal(listPaths(folder, { exclude: new Set(["src"]) }).length, 20_000, "as many as may be");
  for (let n = 20_000; n < 60_000; n++) writeFileSync(`${folder}/many/${n % 20}/${n}`, "");
  t.match(refuse(folder).message, "more than 50,000 files");
  addFiles(folder, { "many/journal.ndjson": RUN });
  t.same(listPaths(folder), ["src/a.py"], "a run directory does not count");
});

import { chmodSync, closeSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import t from "tap";
import { copyFileWithMode, intersectModes } from "../../../../executor/run/record/filemode.js";
import { acquireRunLock } from "../../../../executor/run/record/runlock.js";

const mode = (path: string) => statSync(path).mode & 0o777;

t.test("a file derived from others has the permissions that all of them have", async (t) => {
  const folder = t.testdir({ a: "", b: "" });
  const table: [a: number, b: number, mode: number][] = [
    [0o644, 0o644, 0o644],
    [0o755, 0o644, 0o644],
    [0o644, 0o600, 0o600],
    [0o640, 0o604, 0o600],
    [0o400, 0o444, 0o600],
    [0o664, 0o666, 0o664],
  ];
  for (const [a, b, wanted] of table) {
    chmodSync(`${folder}/a`, a);
    chmodSync(`${folder}/b`, b);
    t.equal(intersectModes([`${folder}/a`, `${folder}/b`]), wanted, `${a.toString(8)} ${b.toString(8)}`);
  }
  t.equal(intersectModes([`${folder}/none`]), 0o600, "where nothing is known");
});

t.test("a copy has the mode of its original, and replaces an earlier one", async (t) => {
  const folder = t.testdir({ job: "new", copy: "old" });
  chmodSync(`${folder}/copy`, 0o400);
  for (const [original, wanted] of [
    [0o600, 0o600],
    [0o440, 0o640],
    [0o755, 0o644],
  ] as const) {
    chmodSync(`${folder}/job`, original);
    copyFileWithMode(`${folder}/job`, `${folder}/copy`);
    t.equal(mode(`${folder}/copy`), wanted);
    t.equal(readFileSync(`${folder}/copy`, "utf8"), "new");
  }
});

t.test("a new journal gets the mode, and an existing one loses the permissions beyond it", async (t) => {
  const before = process.umask(0o022);
  t.teardown(() => process.umask(before));
  const folder = t.testdir({});
  const journal = `${folder}/run/journal.ndjson`;
  const open = (allowed: number) => closeSync(acquireRunLock(`${folder}/run`, allowed).fd);
  open(0o600);
  t.equal(mode(journal), 0o600);
  open(0o644);
  t.equal(mode(journal), 0o600, "it is never opened further");
  chmodSync(journal, 0o666);
  open(0o640);
  t.equal(mode(journal), 0o640);
  process.umask(0o077);
  writeFileSync(journal, "");
  closeSync(openSync(journal, "r"));
  closeSync(acquireRunLock(`${folder}/other`, 0o644).fd);
  t.equal(mode(`${folder}/other/journal.ndjson`), 0o600, "under the umask");
});

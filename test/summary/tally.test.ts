import t from "tap";
import { endLines, fileLines } from "./lines.js";
import { type FileEnd, Tallier } from "./tally.js";

/** What the summary says of a runner's output. */
function summary(tap: string): { files: FileEnd[]; lines: string[] } {
  const files: FileEnd[] = [];
  const tallier = new Tallier((end) => files.push(end));
  tallier.parser.end(tap);
  return { files, lines: endLines(tallier.tally) };
}

const passing = `TAP version 14
# Subtest: dist/test/a.test.js
    # Subtest: outer
        # Subtest: inner
            ok 1 - one
            ok 2 - two
            1..2
        ok 1 - inner # time=1ms
        ok 2 - and a word of its own
        1..2
    ok 1 - outer # time=2ms
    ok 2 - the file says so
    1..2
    # time=20ms
ok 1 - dist/test/a.test.js # time=21ms
1..1
`;

const failing = `TAP version 14
# Subtest: dist/test/b.test.js
    # Subtest: good
        ok 1 - one
        1..1
    ok 1 - good
    # Subtest: bad
        not ok 1 - is two
          ---
          diff: |
            -2
            +3
          ...
        not ok 2 - is three
        1..2
    not ok 2 - bad
    # Subtest: needs more
        ok 1 - power cycle # SKIP needs root: power cycle
        1..1
    ok 3 - needs more
    ok 4 - whole test # SKIP needs root: users
    1..4
not ok 1 - dist/test/b.test.js
1..1
`;

const crashed = `TAP version 14
# Subtest: dist/test/c.test.js
    1..0
not ok 1 - dist/test/c.test.js
  ---
  exitCode: 1
  ...
1..1
`;

t.test("tests are counted, not assertions", async (t) => {
  const { files, lines } = summary(passing);
  t.equal(lines.at(-1), "3 passed, 0 failed");
  t.match(files, [{ file: "dist/test/a.test.js", ok: true, passed: 3 }]);
});

t.test("a failed test is named once, with all that failed in it; skips come with their reason", async (t) => {
  const { files, lines } = summary(failing);
  t.same(lines, [
    "skipped: test/b.test.ts: needs more > power cycle: needs root: power cycle",
    "skipped: test/b.test.ts: whole test: needs root: users",
    "failed: test/b.test.ts: bad",
    "1 passed, 1 failed, 2 skipped",
  ]);
  const text = fileLines(files[0]!).join("\n");
  t.match(text, /FAIL {2}test\/b\.test\.ts {2}1 passed, 1 failed/);
  t.match(text, /not ok: is two[\s\S]*\+3[\s\S]*not ok: is three/);
});

t.test("a file that crashes is a failed test", async (t) => {
  const { lines } = summary(crashed);
  t.same(lines, ["failed: test/c.test.ts: test/c.test.ts (the file itself)", "0 passed, 1 failed"]);
});

t.test("output that breaks off fails what was running", async (t) => {
  const cut = passing.slice(0, passing.indexOf("        ok 2"));
  t.match(summary(cut).lines.at(-1), /, [1-9]\d* failed$/);
});

t.test("nothing at all counts as nothing passed", async (t) => {
  t.equal(summary("").lines.at(-1), "0 passed, 0 failed");
});

import t from "tap";
import { FileTestCounts, mergeCounts } from "./testcounts.js";
import { formatFile, formatSummary } from "./testreport.js";

/** The report of a file whose process wrote `tap`. `problems`: of its end. */
function summary(file: string, tap: string, problems: string[] = []): { text: string; lines: string[] } {
  const tally = new FileTestCounts(file);
  tally.parser.write(tap);
  tally.close(problems);
  return { text: formatFile(tally, 1234).join("\n"), lines: formatSummary(mergeCounts([tally])) };
}

const passing = `TAP version 14
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
`;

const failing = `TAP version 14
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
    # what it said
    1..2
not ok 2 - bad
# Subtest: needs more
    ok 1 - power cycle # SKIP needs root: power cycle
    1..1
ok 3 - needs more
ok 4 - whole test # SKIP needs root: users
1..4
`;

const crashed = `TAP version 14
1..0
`;

const [A, B, C] = ["dist/test/a.test.js", "dist/test/b.test.js", "dist/test/c.test.js"];

t.test("counts tests, not assertions", async (t) => {
  const { text, lines } = summary(A, passing);
  t.equal(lines.at(-1), "3 passed, 0 failed");
  t.equal(text, "ok    test/a.test.ts  3 passed, 1.2 s");
});

t.test("a failed test is listed once with its failed assertions; a skipped one with its reason", async (t) => {
  const { text, lines } = summary(B, failing);
  t.same(lines, [
    "skipped: test/b.test.ts: needs more > power cycle: needs root: power cycle",
    "skipped: test/b.test.ts: whole test: needs root: users",
    "failed: test/b.test.ts: bad",
    "1 passed, 1 failed, 2 skipped",
  ]);
  t.match(text, /FAIL {2}test\/b\.test\.ts {2}1 passed, 1 failed/);
  t.match(text, /not ok: is two[\s\S]*\+3[\s\S]*not ok: is three\n +# what it said/);
});

t.test("a file that crashes counts as a failed test, with the reason", async (t) => {
  const { text, lines } = summary(C, crashed, ["exit code 1"]);
  t.same(lines, ["failed: test/c.test.ts: test/c.test.ts (the file itself)", "0 passed, 1 failed"]);
  t.match(text, /not ok: exit code 1/);
  t.equal(summary(A, passing, ["left behind: file /tmp/x"]).lines.at(-1), "3 passed, 1 failed");
});

t.test("truncated output fails the running test", async (t) => {
  const cut = passing.slice(0, passing.indexOf("    ok 2"));
  t.match(summary(A, cut).lines.at(-1), /, [1-9]\d* failed$/);
});

t.test("a file without output counts as a failed test", async (t) => {
  t.equal(summary(A, "").lines.at(-1), "0 passed, 1 failed");
});

import { join } from "node:path";
import t from "tap";
import { readLastWords } from "../../../../executor/run/ask/lastwords.js";

t.test("the last words are those of one life, without the lines of muster", async (t) => {
  const before = "== 2026-01-01 python3 a.py\nValueError: earlier\n";
  const log = `${before}== 2026-01-02 python3 a.py\nTraceback (most recent call last):\n  File "a.py"\nKeyError: 'x'\n== task "t1" is refused\n`;
  const folder = t.testdir({ log, silent: `${before}== 2026-01-02 python3 a.py\n` });
  t.equal(readLastWords(join(folder, "log"), before.length), "KeyError: 'x'");
  t.equal(readLastWords(join(folder, "silent"), before.length), undefined);
  t.equal(readLastWords(join(folder, "gone"), 0), undefined, "a log that is gone is no reason to fail");
});

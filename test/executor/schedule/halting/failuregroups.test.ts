import t from "tap";
import type { Failure } from "../../../../executor/schedule/events.js";
import { describeCause } from "../../../../executor/schedule/halting/failurecause.js";
import { FailureGroups } from "../../../../executor/schedule/halting/failuregroups.js";
import { formatFailureGroups } from "../../../../report/failuretext.js";

const failed = (chunk: string, stderr: string, change: Partial<Failure> = {}): Failure => ({
  chunk,
  node: "rig",
  slot: 0,
  attempt: 2,
  exit: 1,
  signal: null,
  reason: "exit code 1",
  stderr,
  ...change,
});

const syntax = (file: string) =>
  `  File "/root/.muster/x/${file}", line 2\n    def f(:\n          ^\nSyntaxError: invalid syntax\n`;
const raised = `before
Traceback (most recent call last):
  File "old.py", line 1, in <module>
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/w/work.py", line 31, in main
    load(path)
  File "/usr/lib/python3/site-packages/numpy/io.py", line 9, in load
    raise numpy.core.LoadError("bad header\\nof the file")
numpy.core.LoadError: bad header
of the file
`;

t.test("the cause is the exception and the line of the program that raised it, else the reason", async (t) => {
  t.equal(describeCause(failed("1", syntax("bad.py"))), "SyntaxError in bad.py line 2");
  t.equal(describeCause(failed("1", raised)), "numpy.core.LoadError in work.py line 31");
  t.equal(describeCause(failed("1", "no table\n")), "exit code 1");
  const inline = 'Traceback (most recent call last):\n  File "<string>", line 1, in <module>\nValueError: no seed\n';
  t.equal(describeCause(failed("1", inline)), "ValueError: no seed");
  const killed = { exit: null, signal: 9, reason: "killed by signal 9\nmore" };
  t.equal(describeCause(failed("1", syntax("bad.py"), killed)), "killed by signal 9");
  t.equal(
    describeCause(failed("1", `  File "${"a".repeat(5000)}", line ${"9".repeat(500)}\nE: x\n`)).length < 120,
    true,
  );
});

t.test("chunks are grouped by cause: the first failure in full, the others named", async (t) => {
  const alike = Array.from({ length: 24 }, (_, n) => failed(`${n}`, syntax("bad.py")));
  const groups = new FailureGroups([...alike, failed("x", syntax("other.py")), failed("y", "seed 7 is taken\n")]);
  t.match(groups.all, [{ chunks: 24 }, { chunks: 1 }, { chunks: 1 }], "the same exception elsewhere has another cause");
  const lines = formatFailureGroups(groups.all).map((one) => one.join("\n"));
  t.equal(
    lines[0],
    `failed: 24 chunks: SyntaxError in bad.py line 2
  first: chunk 0 on rig slot 0, attempt 2: exit code 1
      File "/root/.muster/x/bad.py", line 2
        def f(:
              ^
    SyntaxError: invalid syntax
  others: 1, 2, 3, 4, 5 and 18 more`,
  );
  t.equal(lines[2], "failed: chunk y on rig slot 0, attempt 2: exit code 1\n    seed 7 is taken");
  t.match(formatFailureGroups(groups.all, true)[0]!.at(-1), /, 22, 23$/);
});

t.test("the size is bounded, and no chunk is lost from the counts", async (t) => {
  const word = (n: number) => [...`${n}`].map((digit) => "abcdefghij"[Number(digit)]).join("");
  const groups = new FailureGroups(Array.from({ length: 5000 }, (_, n) => failed(`${n}`, `${word(n)}\n`))).all;
  t.equal(groups.length, 101);
  t.equal(
    groups.reduce((sum, { chunks }) => sum + chunks, 0),
    5000,
  );
  t.match(groups.at(-1), { cause: "various causes", chunks: 4900 });
  t.ok(groups.at(-1)!.others.length <= 100);
});

import t from "tap";
import type { DoneMessage } from "../../../../executor/run/agent/protocol.js";
import { findDetail } from "../../../../executor/run/node/failuredetail.js";

const done = (more: Partial<DoneMessage>) =>
  ({ exit: 1, signal: null, timeout: false, cancelled: false, missing: [], ...more }) as DoneMessage;

t.test("the line that says why, of real programs", async (t) => {
  const traceback = 'Traceback (most recent call last):\n  File "w.py", line 2, in <module>\n    f()\n';
  const cases: [string, string | undefined][] = [
    [`loading\n${traceback}ValueError: no survivors\n`, "ValueError: no survivors"],
    [
      `${traceback}KeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\n${traceback}OSError: b\n`,
      "OSError: b",
    ],
    [`${traceback}RuntimeError: first line\n  second line\nsrun: error: exit 1\n`, "RuntimeError: first line"],
    [
      "  File \"bad.py\", line 2\n    x = (\n        ^\nSyntaxError: '(' was never closed\n",
      "SyntaxError: '(' was never closed",
    ],
    [
      "cp: error writing 'x': No space left on device\nmake: *** [all] Error 1\n",
      "cp: error writing 'x': No space left on device",
    ],
    ["write failed: Disk quota exceeded\n", "write failed: Disk quota exceeded"],
    ["first\nlast\n\n  \n", "last"],
    ["  only indented\n", "only indented"],
    ["", undefined],
  ];
  for (const [tail, expected] of cases) t.equal(findDetail(done({}), tail), expected);
});

t.test("exit codes of shells, signals, and what was observed", async (t) => {
  const of = (more: Partial<DoneMessage>, tail = "epoch 3\n") => findDetail(done(more), tail);
  t.equal(of({ exit: 127 }, "sh: 1: nosuch: not found\n"), "program not found: sh: 1: nosuch: not found");
  t.equal(of({ exit: 127 }, "my own code\n"), "my own code", "not every 127 is that of a shell");
  t.equal(
    of({ exit: 126 }, "sh: 1: ./x: Permission denied\n"),
    "program cannot be executed: sh: 1: ./x: Permission denied",
  );
  t.equal(of({ exit: null, signal: 9 }), undefined, "who has sent it is not known");
  t.equal(of({ exit: null, signal: 9, outOfMemory: "kernel log" }), "out of memory (kernel log)");
  t.equal(of({ exit: 137, outOfMemory: "cgroup" }), "out of memory (its cgroup counted an OOM kill)");
  t.equal(of({ exit: 1, outOfMemory: "cgroup" }), "epoch 3", "a message that does not fit is not believed");
  t.equal(of({ exit: null, signal: 6 }, "a.c:3: main: Assertion `x' failed.\n"), "a.c:3: main: Assertion `x' failed.");
  t.equal(of({ exit: null, signal: 15, timeout: true }), undefined);
  t.equal(of({ error: "out/ has 3 files" }), undefined, "the reason says it");
  t.equal(of({ exit: 0, missing: ["r.json"], written: ["a", "b", "c", "d"] }), "the program wrote a, b, c");
  t.equal(of({ exit: 0, missing: ["r.json"] }), undefined);
  t.equal(of({}, "x".repeat(5000))?.length, 301, "it is bounded");
});

import t from "tap";
import { parseFoundOutputs } from "../../../../executor/job/foundoutputs.js";
import type { ChunkSpec } from "../../../../executor/job/job.js";
import type { DoneMessage } from "../../../../executor/run/agent/protocol.js";
import { matchOutputs } from "../../../../executor/run/results/matchoutputs.js";

const sha256 = "a".repeat(64);
const found = (...globs: string[]) => globs.map((glob) => parseFoundOutputs(glob, { atLeast: 1 }));

function match(
  spec: Partial<ChunkSpec>,
  outputs: [path: string, size?: number][],
  stdout: object = { size: 0 },
  cwd = ".",
) {
  const done = { outputs: outputs.map(([path, size = 1]) => ({ path, size, sha256 })), stdout };
  const limits = { output: 100, stdout: 50, files: 3 };
  return matchOutputs({ outputs: [], ...spec } as ChunkSpec, done as unknown as DoneMessage, {
    limits,
    cwd,
    isPartial: false,
  });
}

t.test("stdout comes first, then the named files, then those that were found, by name", async (t) => {
  const spec = { outputs: ["../b", "log"], appended: ["log"], takesStdout: true, found: found("*.x") };
  const matched = match(spec, [["c/z.x"], ["c/y.x"], ["b"], ["c/log"]], { size: 5, sha256 }, "c");
  t.same(
    matched.map(({ path, kind, remote }) => [path, kind, remote]),
    [
      ["stdout", "stdout", "out"],
      ["../b", "file", "work/b"],
      ["log", "appended", "work/c/log"],
      ["y.x", "found", "work/c/y.x"],
      ["z.x", "found", "work/c/z.x"],
    ],
  );
});

t.test("a program that prints nothing has an empty stdout", async (t) => {
  const [printed] = match({ takesStdout: true }, []);
  t.match(printed, { report: { size: 0, data: "", sha256: /^e3b0c44298fc1c/ } });
});

t.test("what a node must not report is refused", async (t) => {
  const deep = `${"d/".repeat(600)}x`;
  const table: [
    what: string,
    spec: Partial<ChunkSpec>,
    outputs: [string, number?][],
    message: RegExp,
    stdout?: object,
  ][] = [
    ["a missing file", { outputs: ["r"] }, [], /^output r: the node does not report it/],
    ["a large file", { outputs: ["r"] }, [["r", 101]], /^output r: it has 101 B, more than the 100 B allowed/],
    [
      "stdout without a hash",
      { takesStdout: true },
      [],
      /^output stdout: the node does not report its hash/,
      { size: 1 },
    ],
    ["a large stdout", { takesStdout: true }, [], /more than the 50 B allowed/, { size: 51, sha256 }],
    ["a file that no glob matches", { found: found("*.x") }, [["a.y"]], /^output a.y: the job does not declare it/],
    ["a way out", { found: found("**") }, [["../a"]], /no file can have this path/],
    ["an absolute path", { found: found("**") }, [["/etc/passwd"]], /no file can have this path/],
    ["a path that is not normal", { found: found("**") }, [["a//b"]], /no file can have this path/],
    ["a NUL", { found: found("**") }, [["a\0b"]], /no file can have this path/],
    ["a folder", { found: found("a/") }, [["a/b/"]], /no file can have this path/],
    ["a long path", { found: found("d/") }, [[deep]], /more than 1024 bytes/],
    ["a long name", { found: found("*") }, [["é".repeat(128)]], /one of its names has more than 255 bytes/],
    [
      "a file in a file",
      { found: found("a/") },
      [["a/b"], ["a/b/c"]],
      /^output a\/b\/c: one of its parent folders is a file/,
    ],
    [
      "a file in a named file",
      { outputs: ["a"], found: found("a/") },
      [["a"], ["a/b"]],
      /one of its parent folders is a file/,
    ],
    ["too many files", { found: found("*") }, [["a"], ["b"], ["c"], ["d"]], /it is one of 4 files/],
    [
      "too many of one glob",
      { found: [{ ...found("*")[0]!, atMost: 1 }] },
      [["a"], ["b"]],
      /it has 2 files, more than 1/,
    ],
    [
      "too many bytes",
      { found: found("*") },
      [
        ["a", 60],
        ["b", 60],
      ],
      /^output \*: it has 120 B/,
    ],
    ["no file at all", { found: found("*") }, [], /the node reports 0 files of it, fewer than 1/],
    ["a hook of git", { found: found("a/") }, [["a/.git/hooks/pre-commit"]], /no result may lie in \.git/],
    [
      "git's own, in capitals",
      { found: [{ written: "./", base: ".", atLeast: 1 }] },
      [[".GIT/config"]],
      /no result may lie/,
    ],
    [
      "a file of muster's",
      { found: [{ written: "./", base: ".", atLeast: 1 }] },
      [[".muster-x.partial/0"]],
      /no result may/,
    ],
    ["the name of stdout", { takesStdout: true, found: found("*") }, [["stdout"]], /has the name of what is printed/],
  ];
  for (const [what, spec, outputs, message, stdout] of table)
    t.throws(() => match(spec, outputs, stdout), { code: "CORRUPT", message }, what);
});

t.test("names that a node invents are ignored where nothing has to be found", async (t) => {
  t.equal(match({ outputs: ["r"] }, [["r"], ["/etc/passwd"]]).length, 1);
});

t.test("a named file counts for the folder or glob that it belongs to", async (t) => {
  t.equal(match({ outputs: ["out/x"], found: found("out/") }, [["out/x"]]).length, 1);
});

t.test("what belongs to a glob does not depend on where muster runs", async (t) => {
  const before = process.cwd();
  t.teardown(() => process.chdir(before));
  process.chdir("/");
  t.throws(() => match({ found: found("**") }, [["lib/secret.py"]], undefined, "jobs"), {
    message: /the job does not declare it/,
  });
});

import t from "tap";
import type { CommandState } from "../../../playbooks/engine/resource.js";
import type { EnvRequest } from "../../../playbooks/pythonenv/envrequest.js";
import { diffEnv, noteUnchecked, parseEnvState } from "../../../playbooks/pythonenv/envstate.js";

const request: EnvRequest = {
  at: "~/.venvs/prng",
  python: "python3.10",
  kind: "venv",
  key: "b".repeat(64),
  wanted: [],
  requirements: "",
  constraints: "",
  wheels: false,
  project: false,
};

/** The differences that an answer leads to, one text each. */
const diff = (state: CommandState) =>
  diffEnv(parseEnvState(state), request).map(({ what, have, want }) => `${what}: ${have}, ${want}`);

const good = {
  muster_env: 1,
  link: "ours",
  base: { version: "3.10.1", error: "" },
  marker: { key: request.key, python: "3.10.1" },
  problems: [],
  unchecked: [],
};

/** The output of the program, after what a login shell printed. */
const asSent = (state: Record<string, unknown>): CommandState => {
  const line = JSON.stringify(state).replace('"muster_env":1', '"muster_env": 1');
  return { exit: 0, stdout: `a banner\n${line}\n`, stderr: "" };
};

t.test("an environment is in order, or the first reason why not is named", async (t) => {
  t.same(diff(asSent(good)), []);
  const problem = { what: "a", have: "1", want: "==2" };
  const cases: [Record<string, unknown>, string[]][] = [
    [{ link: "missing" }, ["~/.venvs/prng: missing, a link to a Python environment"]],
    [{ link: "foreign" }, ["~/.venvs/prng: something that muster did not make, a link to a Python environment"]],
    [{ marker: null }, ["~/.venvs/prng: incomplete, a Python environment"]],
    [
      { broken: "No such file" },
      ["~/.venvs/prng: its Python does not run: No such file, an environment of python3.10"],
    ],
    [{ base: { version: "", error: "gone" } }, ["python3.10: cannot be used: gone, a Python interpreter"]],
    [{ base: { version: "3.10.2", error: "" }, problems: [problem] }, ["python: 3.10.1, 3.10.2", "a: 1, ==2"]],
    [
      { marker: { key: "c".repeat(64), python: "3.10.1" } },
      ["requirements: content cccccccccccc, content bbbbbbbbbbbb"],
    ],
    [{ marker: { key: "c".repeat(64), python: "3.10.1" }, problems: [problem] }, ["a: 1, ==2"]],
  ];
  for (const [change, expected] of cases) t.same(diff(asSent({ ...good, ...change })), expected);
});

t.test("whatever a node answers is a difference, never an exception", async (t) => {
  const odd = [
    {},
    { link: 7 },
    { link: "ours", marker: [], base: "x", problems: "y" },
    { error: "FILE", reason: "EIO" },
  ];
  for (const state of odd) t.equal(diff(asSent({ muster_env: 1, ...state })).length, 1, JSON.stringify(state));
  t.same(diff({ exit: 1, stdout: "", stderr: "a\nboom\n" }), [
    "~/.venvs/prng: cannot be examined: boom, a Python environment",
  ]);
  t.match(diff({ exit: null, stdout: '{"muster_env": 1,', stderr: "", error: "no answer within 90 s" }), [/no answer/]);
  const flood = Array.from({ length: 1000 }, () => ({ what: "a", have: "b", want: "c" }));
  t.ok(diff(asSent({ ...good, problems: flood })).length <= 50);
  t.same(diff(asSent({ ...good, problems: [null, 3, { what: 1 }] })), []);
});

t.test("what cannot be compared is noted", async (t) => {
  const state = parseEnvState(asSent({ ...good, unchecked: ["git+https://example.invalid/a"] }));
  t.same(noteUnchecked(state), [
    'the version of these requirements cannot be compared: "git+https://example.invalid/a"',
  ]);
});

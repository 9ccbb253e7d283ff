import t from "tap";
import type { Difference, ModulesState } from "../../playbooks/engine/resource.js";
import { diffPython } from "../../playbooks/python.js";
import { parseLogoutEffects, parseMaxSessions } from "../../playbooks/session/logind.js";
import { diffSession } from "../../playbooks/session.js";

t.test("logind settings that end processes are recognized", async (t) => {
  const base = "uid=1000\nuser=ci\n";
  const table: [string, boolean, boolean][] = [
    ["", false, false],
    [base, false, false],
    [`${base}running=yes\n`, false, true],
    [`${base}KillUserProcesses=yes\nRemoveIPC=no\n`, true, false],
    [`${base}KillUserProcesses=no\nRemoveIPC=yes\nLinger=yes\n`, false, false],
    [`${base}KillUserProcesses=yes\nKillExcludeUsers=root ci\nRemoveIPC=yes\n`, false, true],
    [`${base}running=yes\nfile:RemoveIPC=no\nfile:KillUserProcesses = true \n`, true, false],
    [`${base}running=yes\nfile:#RemoveIPC=no\nfile:RemoveIPC=no\nfile:RemoveIPC=yes\n`, false, true],
    [`${base}file:RemoveIPC=no\nRemoveIPC=yes\n`, false, true],
    ["uid=0\nuser=root\nKillUserProcesses=yes\nRemoveIPC=yes\n", false, false],
    ["uid=999\nuser=muster\nRemoveIPC=yes\n", false, false],
  ];
  for (const [text, killsProcesses, removesFiles] of table)
    t.match(parseLogoutEffects(text), { killsProcesses, removesFiles }, text);
  t.equal(parseLogoutEffects("user=\u001b[2Jx y\n").user, "??2Jx?y");
});

t.test("MaxSessions", async (t) => {
  const table: [string, number | undefined][] = [
    ["", undefined],
    ["port 22\nmaxsessions 10\n", 10],
    ["#MaxSessions 1\n  MaxSessions=2\nMaxSessions 3", 2],
    ['MaxSessions "5"', 5],
    ["MaxSessions many", undefined],
  ];
  for (const [text, most] of table) t.equal(parseMaxSessions(text), most, text);
});

const whats = (found: Difference[]) => found.map(({ what }) => what);

t.test("each logind problem has a remedy", async (t) => {
  const ends = { user: "ci", killsProcesses: true, removesFiles: true };
  const shm = ["/dev/shm/prng/step3"];
  t.same(whats(diffSession(ends, 1, shm)), ["KillUserProcesses", "RemoveIPC", "MaxSessions"]);
  t.match(diffSession(ends, 10, shm)[1]?.want, /enable-linger ci/);
  t.same(whats(diffSession(ends, undefined, ["/mnt/memory"])), ["KillUserProcesses"]);
  t.same(diffSession({ user: "ci", killsProcesses: false, removesFiles: false }, 10, shm), []);
});

t.test("python: want + have -> differences", async (t) => {
  const have = (python: string | null, modules: ModulesState["modules"] = {}, error?: string) => ({
    python,
    modules,
    error,
  });
  const numpy = { numpy: { found: true, version: "1.2" }, torch: { found: false, version: null } };
  const table: [string[], ModulesState, string[]][] = [
    [[], have("3.8.0"), []],
    [[], have("3.11.2"), []],
    [[], have("4.0.0"), []],
    [[], have("3.7.17"), ["python3: 3.7.17 -> 3.8 or later"]],
    [[], have("2.7.18"), ["python3: 2.7.18 -> 3.8 or later"]],
    [[], have(null, {}, "not found"), ["python3: cannot be used: not found -> 3.8 or later"]],
    [
      ["numpy", "torch", "constructor"],
      have("3.9.1", numpy),
      [
        "module torch: not installed for python3 3.9.1 -> installed",
        "module constructor: not installed for python3 3.9.1 -> installed",
      ],
    ],
  ];
  for (const [modules, state, expected] of table) {
    const found = diffPython("python3", modules, state);
    t.same(
      found.map(({ what, have, want }) => `${what}: ${have} -> ${want}`),
      expected,
    );
  }
});

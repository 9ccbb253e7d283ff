import t from "tap";
import { decideContact } from "../../../fleet/bootstrap/decidecontact.js";
import { decideModes, decidePython, decideSudo, formatSudoRule } from "../../../fleet/bootstrap/decidesteps.js";
import { type MachineState, parseMachineState } from "../../../fleet/bootstrap/machinestate.js";
import { explainSudoRefusal, formatRootCommand } from "../../../fleet/bootstrap/rootaccess.js";
import { ConnectionError, type ConnectionErrorCode } from "../../../fleet/connectionerror.js";

const failed = (code: ConnectionErrorCode, offeredMethods?: string[]) =>
  new ConnectionError(code, { node: "n", step: "connect" }, "x", { offeredMethods });

t.test("what follows a failed log-in", async (t) => {
  const key = { type: "ssh-ed25519", fingerprint: "SHA256:x", isAccepted: false };
  const unknown = new ConnectionError("HOST_KEY_UNKNOWN", { node: "n", step: "connect" }, "x", { unknownKey: key });
  const own = { with: "our keys" } as const;
  const tried = (tries: number) => ({ with: "password", tries }) as const;
  t.same(decideContact(unknown, own, false), { kind: "confirm host key", key });
  const table = [
    [failed("AUTH", ["publickey", "password"]), own, false, "ask for password"],
    [failed("AUTH", ["publickey", "keyboard-interactive"]), own, false, "ask for password"],
    [failed("AUTH", ["publickey"]), own, false, "give up"],
    [failed("AUTH", ["publickey", "password"]), own, true, "use given key"],
    [failed("AUTH", ["publickey", "password"]), { with: "given key" }, true, "give up"],
    [failed("PASSWORD"), tried(1), false, "ask for password"],
    [failed("PASSWORD"), tried(3), false, "give up"],
    [failed("TIMEOUT"), tried(1), false, "give up"],
    [failed("UNREACHABLE"), own, true, "give up"],
    [failed("HOST_KEY_CHANGED"), own, true, "give up"],
    [new Error("a bug"), own, true, "give up"],
  ] as const;
  for (const [error, attempt, hasKey, kind] of table)
    t.match(decideContact(error, attempt, hasKey), { kind }, `${error.message} ${attempt.with}`);
});

const STATE: MachineState = {
  uid: 1000,
  user: "rig",
  paths: [],
  hasKey: false,
  python: "3.11.2",
  packageManager: "apt",
  system: "Debian",
  sudo: { kind: "asks" },
};

t.test("what a machine says is read, and what it should not say is not", async (t) => {
  const answer =
    "hello\nmachine 1\nuid 1000\nuser rig\npath 1000 755 /home/rig\npath 0 1777 /home/rig/.ssh\nkey yes\npython 3.8.10\nmanager apt\nmanager dnf\nsystem Debian \u001b[31m12\nsudo says sudo: a password is required\n";
  t.same(parseMachineState(answer), {
    uid: 1000,
    user: "rig",
    paths: [
      { path: "/home/rig", uid: 1000, mode: 0o755 },
      { path: "/home/rig/.ssh", uid: 0, mode: 0o1777 },
    ],
    hasKey: true,
    python: "3.8.10",
    packageManager: "apt",
    system: "Debian [31m12",
    sudo: { kind: "asks" },
  });
  t.match(parseMachineState("uid 0\nsudo missing\npython 3\n"), {
    uid: 0,
    python: undefined,
    sudo: { kind: "missing" },
  });
  t.match(parseMachineState("uid 0\nsudo says must have a tty\n"), {
    sudo: { kind: "refuses", reason: "must have a tty" },
  });
  for (const broken of ["", "uid x\nsudo free\n", "uid 1\n", "x".repeat(1000)])
    t.equal(parseMachineState(broken), undefined);
});

t.test("modes that sshd requires", async (t) => {
  const paths = [
    { path: "/home/rig", uid: 1000, mode: 0o775 },
    { path: "/home/rig/.ssh", uid: 0, mode: 0o700 },
  ];
  t.same(decideModes("n", { ...STATE, paths }), [{ path: "/home/rig", uid: 1000, mode: 0o755 }]);
  t.throws(() => decideModes("n", { ...STATE, paths: [{ ...paths[0]!, uid: 7 }] }), { code: "DENIED", node: "n" });
});

t.test("what is done about sudo", async (t) => {
  const wish = { rootPlaybooks: ["power"], mayChange: true };
  const none = { rootPlaybooks: [], mayChange: true };
  const table = [
    [{ uid: 0 }, wish, "nothing"],
    [{ sudo: { kind: "free" } }, wish, "nothing"],
    [{}, wish, "set rule"],
    [{}, none, "nothing"],
    [{}, { ...wish, mayChange: false }, "nothing"],
    [{ python: undefined }, none, "ask password"],
    [{ sudo: { kind: "missing" } }, none, "nothing"],
  ] as const;
  for (const [change, wanted, kind] of table)
    t.match(
      decideSudo("n", { ...STATE, ...change } as MachineState, wanted),
      { kind },
      JSON.stringify([change, wanted]),
    );
  for (const sudo of [{ kind: "missing" }, { kind: "refuses", reason: "no" }] as const) {
    t.throws(() => decideSudo("n", { ...STATE, sudo }, wish), { code: "SUDO", reason: /power run programs as root/ });
    t.throws(() => decideSudo("n", { ...STATE, sudo, python: undefined }, none), {
      code: "SUDO",
      reason: /python3 is to be installed/,
    });
  }
});

t.test("what is done about Python", async (t) => {
  t.same(decidePython("n", "python3", STATE), { kind: "nothing", version: "3.11.2" });
  t.same(decidePython("n", "python3", { ...STATE, python: undefined }), { kind: "install", manager: "apt" });
  t.throws(() => decidePython("n", "python3", { ...STATE, python: "3.7.9" }), {
    code: "NO_PYTHON",
    reason: /is 3\.7\.9/,
  });
  t.throws(() => decidePython("n", "/opt/py", { ...STATE, python: undefined }), {
    code: "NO_PYTHON",
    reason: /\/opt\/py cannot be run/,
  });
  t.throws(() => decidePython("n", "python3", { ...STATE, python: undefined, packageManager: undefined }), {
    code: "NO_PYTHON",
    reason: /Debian has neither apt-get nor dnf/,
  });
});

t.test("a rule of sudo holds no name that sudo could misread", async (t) => {
  t.match(formatSudoRule(STATE), { file: "/etc/sudoers.d/muster-rig", rule: "rig ALL=(ALL:ALL) NOPASSWD: ALL" });
  for (const user of ["a.b", "x ALL=(ALL) ALL\n#", "../../etc/passwd", "", "%wheel"])
    t.match(formatSudoRule({ uid: 1000, user }), {
      file: "/etc/sudoers.d/muster-uid-1000",
      rule: "#1000 ALL=(ALL:ALL) NOPASSWD: ALL",
    });
});

t.test("a password is never an argument, and a program never reads it", async (t) => {
  const { argv, stdin } = formatRootCommand({ kind: "password", password: "s3cret" }, ["tee", "/x"]);
  t.equal(stdin, "s3cret\n");
  t.notMatch(argv.join(" "), /s3cret/);
  t.ok(argv.includes("-k") && argv.includes("-S"), "sudo reads a line even where it remembers an earlier password");
  t.match(argv.join(" "), /exec "\$@" <\/dev\/null sh tee \/x$/);
  t.same(formatRootCommand({ kind: "root" }, ["true"]), { argv: ["true"] });
  t.equal(formatRootCommand({ kind: "sudo" }, ["true"]).stdin, undefined);
});

t.test("what sudo prints", async (t) => {
  const table = [
    ["Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt\n", "wrong password"],
    ["rig is not in the sudoers file.\n", { refusal: "rig is not in the sudoers file." }],
    ["Sorry, user rig may not run sudo on n.\n", { refusal: "Sorry, user rig may not run sudo on n." }],
    ["sudo: sorry, you must have a tty to run sudo\n", { refusal: "sorry, you must have a tty to run sudo" }],
    ["E: Unable to locate package python3\n", undefined],
  ] as const;
  for (const [said, meaning] of table) t.same(explainSudoRefusal(said), meaning, said);
});

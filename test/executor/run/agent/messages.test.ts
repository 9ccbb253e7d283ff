import t from "tap";
import { parseMessage } from "../../../../executor/run/agent/messages.js";
import { PROTOCOL_VERSION } from "../../../../executor/run/agent/protocol.js";

const ID = "0123456789abcdef-0-fedcba9876543210";
const SHA256 = "ab".repeat(32);
const log = { size: 0 };
const done = {
  ev: "done",
  id: ID,
  chunk: "0-1",
  slot: 0,
  exit: 0,
  signal: null,
  timeout: false,
  cancelled: false,
  seconds: 0.1,
  outputs: [{ path: "r", size: 1, sha256: SHA256, data: "eA==" }],
  missing: [],
  stdout: log,
  stderr: log,
  tail: "",
};
const hello = {
  ev: "hello",
  muster: PROTOCOL_VERSION,
  boot: "b",
  pid: 1,
  started: 1,
  root: "/r",
  held: [{ id: ID, chunk: "c", slot: 0 }],
};

t.test("valid messages are parsed unchanged", async (t) => {
  for (const message of [done, hello, { ev: "slot", slot: 1, holder: "x" }, { ev: "bye" }, { ev: "bye", left: "x" }])
    t.same(parseMessage(JSON.stringify(message)), message);
});

t.test("any other value is rejected, however similar", async (t) => {
  const bad: unknown[] = [
    "x",
    [],
    null,
    { ev: "constructor" },
    { ...done, id: "../../../etc/x" },
    { ...done, id: "1-0" },
    { ...done, id: `${ID}/../../x` },
    { ...done, outputs: {} },
    { ...done, outputs: [{ path: "r", size: -1, sha256: SHA256 }] },
    { ...done, outputs: [{ path: 7, size: 1, sha256: SHA256 }] },
    { ...done, stdout: undefined },
    { ...done, exit: "0" },
    { ...done, exit: 0.5 },
    { ...done, outputs: [{ path: "r", size: 1, sha256: "ab" }] },
    { ...done, tail: "x".repeat(2049) },
    { ...done, error: "x".repeat(2049) },
    { ...done, chunk: "c".repeat(256) },
    { ...done, missing: ["p".repeat(4097)] },
    { ...done, seconds: undefined },
    { ev: "problem", message: "x".repeat(2049) },
    { ev: "broken", slot: 0, reason: "x".repeat(2049) },
    { ev: "slot", slot: 1.5 },
    { ev: "memory", waiting: [[[[[[[[0]]]]]]]] },
    { ev: "held", attempts: [hello], more: false },
    { ev: "__proto__" },
    { ...done, seconds: null },
    { ...hello, held: [{ id: "../x", chunk: "c", slot: 0 }] },
    { ...hello, held: "none" },
    { ev: "bye", left: 7 },
  ];
  for (const value of bad) t.equal(parseMessage(JSON.stringify(value)), undefined, JSON.stringify(value));
  t.equal(parseMessage('{"ev":"bye"'), undefined);
});

t.test("a hello of another version is accepted, whatever it holds", async (t) => {
  const older = { ...hello, muster: 1, held: [{ id: "1-0", chunk: "c", slot: 0 }] };
  t.same(parseMessage(JSON.stringify(older)), older);
});

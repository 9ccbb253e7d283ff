import { existsSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { RECEIVED } from "../../../fleet/relay/frames.js";
import { encodeFrame, FakeRelay } from "./fakerelay.js";

const megabyte = Buffer.alloc(1 << 20);
/** The first program has the number 1, a file request that is sent after it the number 2. */
const STREAMS: [string, Buffer[], RegExp][] = [
  ["a frame of unknown kind", [encodeFrame(99, 1)], /unknown kind 99/],
  ["a frame for a number that nobody has", [encodeFrame(RECEIVED.output, 9, "x")], /unknown number 9/],
  ["a length above the limit", [Buffer.alloc(9, 0xff)], /4294967295 bytes/],
  ["an answer without a line", [encodeFrame(RECEIVED.answer, 2, "{}")], /no line/],
  ["an answer that is no object", [encodeFrame(RECEIVED.answer, 2, "[1]\n")], /not an object/],
  ["an answer that is no JSON", [encodeFrame(RECEIVED.answer, 2, "{\n")], /not an object/],
  ["an exit without a code", [encodeFrame(RECEIVED.exited, 1, '{"code": "0"}')], /how a program has exited/],
  ["acknowledged input that nobody sent", [encodeFrame(RECEIVED.inputTaken, 1, "\0\0\0\x01")], /more input than/],
  ["an acknowledgement of the wrong length", [encodeFrame(RECEIVED.inputTaken, 1, "x")], /1 bytes/],
  [
    "more output than the window allows",
    [encodeFrame(RECEIVED.output, 1, megabyte), encodeFrame(RECEIVED.output, 1, megabyte)],
    /more output than/,
  ],
  ["output after its end", [encodeFrame(RECEIVED.errors, 1), encodeFrame(RECEIVED.errors, 1, "x")], /more output than/],
];

for (const [what, stream, message] of STREAMS)
  t.test(`${what} ends the connection`, async (t) => {
    const relay = new FakeRelay();
    const connection = await relay.connect();
    const starting = connection.open(["cat"]);
    relay.print(encodeFrame(RECEIVED.started, 1, "\0\0\x10\0"));
    const program = await starting;
    const pending = (await connection.files()).stat("/x");
    for (const part of stream) relay.print(part);
    await t.rejects(pending, { name: "ConnectionError", code: "LOST", message });
    t.match(await program.ended, { kind: "lost", reason: message });
    t.match(await connection.closed, /^the relay cannot be understood: /);
    t.ok(relay.isDestroyed);
    await t.rejects(connection.open(["cat"]), { code: "LOST" });
    await t.rejects(connection.files(), { code: "LOST" });
    t.match(await connection.exec(["true"], { timeout: 5 }), { kind: "lost", reason: message });
  });

t.test("late answers, and frames of programs that were closed, mean nothing", async (t) => {
  const relay = new FakeRelay();
  const connection = await relay.connect({ requestSeconds: 0.05 });
  const files = await connection.files();
  await t.rejects(files.stat("/x"), { code: "TIMEOUT", message: /look at \/x: no answer within 0.05 s/ });
  await t.rejects(connection.open(["cat"]), { code: "TIMEOUT" });
  relay.print(encodeFrame(RECEIVED.answer, 1, "{}\n"));
  relay.print(encodeFrame(RECEIVED.started, 2, "\0\0\x10\0"));
  for (const kind of [RECEIVED.output, RECEIVED.errors, RECEIVED.killed, RECEIVED.pong])
    relay.print(encodeFrame(kind, 2, "x"));
  const asked = files.free("/y");
  relay.print(encodeFrame(RECEIVED.answer, 3, '{"bytes": 12}\n'));
  t.equal(await asked, 12);
  await connection.close();
  t.ok(relay.isDestroyed);
});

t.test("an exit ends output whose end was not sent", async (t) => {
  const relay = new FakeRelay();
  const connection = await relay.connect();
  t.teardown(() => connection.close());
  const running = connection.exec(["cat"], { timeout: 60 });
  relay.print(encodeFrame(RECEIVED.started, 1, "\0\0\x10\0"));
  relay.print(encodeFrame(RECEIVED.output, 1, "x"));
  relay.print(encodeFrame(RECEIVED.exited, 1, '{"code": 3}'));
  t.same(await running, { kind: "exit", code: 3, stdout: "x", stderr: "" });
});

t.test("errors of the system have the codes of other connections", async (t) => {
  const relay = new FakeRelay();
  const connection = await relay.connect();
  t.teardown(() => connection.close());
  const files = await connection.files();
  const here = t.testdir();
  const cases = [
    ["EDQUOT", { code: "NO_SPACE", message: /quota of the user is used up/, next: /quota/ }],
    ["ENOSPC", { code: "NO_SPACE", next: /free some space/ }],
    ["EROFS", { code: "DENIED" }],
    ["EIO", { code: "FILE" }],
  ] as const;
  for (const [number, [error, expected]] of cases.entries()) {
    const uploading = files.upload(Buffer.from("x"), "/f", 0o600);
    await new Promise((resolve) => setImmediate(resolve));
    relay.print(encodeFrame(RECEIVED.answer, number + 1, `{"error": "${error}", "message": "as the system says"}\n`));
    await t.rejects(uploading, { name: "ConnectionError", ...expected }, error);
  }
  const odd = ['{"size": "7"}', '{"size": -1}', '{"size": 1.5}', "{}"];
  for (const [index, answer] of odd.entries()) {
    // Its handle has a number, too, and so has the request that closes it.
    const number = cases.length + 3 * index + 2;
    const downloading = files.download("/f", join(here, "f"), 10);
    relay.print(encodeFrame(RECEIVED.answer, number, `${answer}\n`));
    await t.rejects(downloading, { code: "FILE", message: /its size is not known/ }, answer);
  }
  const looking = files.stat("/f");
  relay.print(encodeFrame(RECEIVED.answer, cases.length + 3 * odd.length + 1, '{"kind": "x", "size": 1, "mode": 1}\n'));
  await t.rejects(looking, { code: "FILE" });
  t.notOk(existsSync(join(here, "f")));
});

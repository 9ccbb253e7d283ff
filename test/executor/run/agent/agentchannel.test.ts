import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import t from "tap";
import { AgentChannel, type AgentEnd } from "../../../../executor/run/agent/agentchannel.js";
import { ANY_OUTPUTS, type ExpectedOutputs } from "../../../../executor/run/agent/linelimits.js";
import { parseMessage } from "../../../../executor/run/agent/messages.js";
import { type AgentMessage, PROTOCOL_VERSION } from "../../../../executor/run/agent/protocol.js";
import { cpuTimeMs } from "../../../lab/cputime.js";

const HELLO = `{"ev":"hello","muster":${PROTOCOL_VERSION},"boot":"b","pid":1,"started":1,"root":"/r","held":[]}\n`;
const MIB = 1 << 20;

/** A coordinator's end of a channel; the test is the other end. */
function channel(expected: ExpectedOutputs = { named: 0, found: false, state: false, inlineBytes: 0 }) {
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  const received: AgentMessage[] = [];
  const ends: AgentEnd[] = [];
  const ended = new Promise<never>(() => {});
  const agent = new AgentChannel(
    { ...streams, ended, destroy: () => streams.stdout.destroy() },
    (message) => received.push(message),
    (end) => ends.push(end),
    expected,
  );
  streams.stdin.resume();
  const emit = async (text: string | Buffer) => {
    streams.stdout.write(text);
    await turn();
    await turn();
  };
  return { agent, received, ends, emit };
}

t.test("a line that was not asked for may have 64 KiB; the channel does not wait for longer ones", async (t) => {
  for (const line of [
    '{"ev":"problem","message":"',
    '{"ev":"looked","answers":[',
    "[".repeat(100),
    '{"ev":"held","attempts":[',
  ]) {
    const { ends, received, emit } = channel();
    await emit(HELLO);
    const began = cpuTimeMs();
    for (let sent = 0; sent < 31 && ends.length === 0; sent++) await emit(Buffer.alloc(MIB, line));
    t.same(
      received.map(({ ev }) => ev),
      ["hello"],
    );
    t.match(ends, [{ kind: "violation", reason: /a line of more than 65536 bytes/ }], line);
    t.ok(cpuTimeMs() - began < 1000, "it closes at once");
  }
});

t.test("results and script results may be as long as what was asked for", async (t) => {
  const { agent, ends, emit } = channel();
  await emit(HELLO);
  const spec = { argv: [], env: {}, files: [], outputs: ["a", "b"], limit: 1 };
  agent.send({
    op: "open",
    run: "r",
    nonce: "n",
    nonces: [],
    lease: 1,
    priority: 0,
    env: {},
    slots: [],
    inline: 15 << 10,
    log: 1,
  });
  agent.send({ op: "start", id: "i", chunk: "c", slot: 0, spec, args: [] });
  agent.send({ op: "look", scripts: ["x"], seconds: 1 });
  await emit(`{"ev":"done",${" ".repeat(662 << 10)}`);
  t.same(
    ends,
    [],
    "662 KiB are accepted: two outputs and two logs of 20 KiB each in base64, and 512 KiB of intermediate values",
  );
  await emit(" ".repeat(20 << 10));
  t.match(ends, [{ kind: "violation" }], "682 KiB are not");
});

t.test("the result of a script may be long once", async (t) => {
  const { agent, ends, received, emit } = channel();
  await emit(HELLO);
  agent.send({ op: "look", scripts: ["x"], seconds: 1 });
  const answers = `{"ev":"looked","answers":[{"exit":0,"stdout":"${"x".repeat(MIB)}","stderr":""}]}\n`;
  await emit(answers);
  t.equal(received.at(-1)?.ev, "looked");
  await emit(answers);
  t.match(ends, [{ kind: "violation" }]);
});

t.test("up to 1 MiB that a start-up file prints before the hello is skipped", async (t) => {
  const { ends, received, emit } = channel();
  await emit(`Welcome\n${"x".repeat(100_000)}\n`);
  await emit(HELLO);
  t.same(
    received.map(({ ev }) => ev),
    ["hello"],
  );
  const other = channel();
  for (let sent = 0; sent < 40 && other.ends.length === 0; sent++) await other.emit(`${"x".repeat(50_000)}\n`);
  t.same(ends, []);
  t.match(other.ends, [{ kind: "violation", reason: /start-up files/ }]);
});

t.test("a malformed line closes the channel, and later lines are not read", async (t) => {
  const { ends, received, emit } = channel();
  await emit(`${HELLO}{"ev":"pong"}\nnonsense\n{"ev":"bye"}\n`);
  t.same(
    received.map(({ ev }) => ev),
    ["hello", "pong"],
  );
  t.match(ends, [{ kind: "violation", reason: /not a message: nonsense/ }]);
});

t.test("of an agent of another version, lines that do not match are skipped", async (t) => {
  const { ends, received, emit } = channel();
  const hello = HELLO.replace(`"muster":${PROTOCOL_VERSION}`, '"muster":1');
  await emit(`${hello}{"ev":"held","attempts":[{"id":1}],"more":false}\n{"ev":"renamed"}\n{"ev":"bye"}\n`);
  t.same(
    received.map(({ ev }) => ev),
    ["hello", "bye"],
  );
  t.same(ends, []);
});

t.test("a detached channel delivers no messages", async (t) => {
  const { agent, received, emit } = channel();
  await emit(HELLO);
  agent.detach();
  await emit('{"ev":"pong"}\n');
  t.same(
    received.map(({ ev }) => ev),
    ["hello"],
  );
});

const ID = "0123456789abcdef-0-fedcba9876543210";
/** Values that a hostile agent would put into a field. */
const evil = fc.oneof(
  fc.anything({ maxDepth: 3, withNullPrototype: true }),
  fc.constantFrom<unknown>(
    ID,
    -1,
    0,
    2 ** 53,
    1e308,
    "9".repeat(101),
    "../..",
    "\u0000",
    "x".repeat(5000),
    [],
    {},
    null,
  ),
);
const names = [
  "ev",
  "id",
  "chunk",
  "slot",
  "held",
  "attempts",
  "more",
  "muster",
  "boot",
  "pid",
  "root",
  "outputs",
  "end",
];
const hostile = fc
  .tuple(
    fc.constantFrom("hello", "held", "done", "started", "split", "slot", "looked", "cards", "toString"),
    fc.dictionary(fc.constantFrom(...names), evil),
  )
  .map(([ev, fields]) => JSON.stringify({ ev, ...fields }) ?? "");

t.test("fuzz: 100,000 hostile lines are rejected or are messages, and none is slow", async (t) => {
  let slowestMs = 0;
  fc.assert(
    fc.property(fc.oneof(hostile, fc.string(), fc.json()), (line) => {
      const began = cpuTimeMs();
      const message = parseMessage(line);
      slowestMs = Math.max(slowestMs, cpuTimeMs() - began);
      return message === undefined || JSON.stringify(message) === JSON.stringify(JSON.parse(line));
    }),
    { numRuns: 100_000 },
  );
  t.ok(slowestMs < 1000, `the slowest took ${slowestMs.toFixed(1)} ms`);
});

t.test("results that an earlier coordinator started may be as long as what the job declares", async (t) => {
  const file = (n: number) => ({ path: `out/${n}`, size: 1, sha256: "a".repeat(64), data: "x".repeat(16_000) });
  const done = JSON.stringify({ ev: "done", outputs: Array.from({ length: 45 }, (_, n) => file(n)) });
  for (const [expected, isAccepted] of [
    [{ named: 0, found: false, state: false, inlineBytes: 0 }, false],
    [{ named: 20, found: false, state: false, inlineBytes: 16 << 10 }, true],
    [{ named: 0, found: true, state: false, inlineBytes: 0 }, true],
    [{ named: 0, found: false, state: true, inlineBytes: 0 }, true],
    [ANY_OUTPUTS, true],
  ] as const) {
    const { ends, emit } = channel(expected);
    await emit(HELLO);
    await emit(done);
    t.equal(ends.length === 0, isAccepted, JSON.stringify(expected));
  }
});

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { DoneMessage } from "../../executor/run/agent/protocol.js";
import { PROTOCOL_VERSION } from "../../executor/run/agent/protocol.js";
import { waitUntil } from "../lab/waituntil.js";
import { AgentAttachment, AgentFolder, attachAgent, decodeInline, findProcesses } from "./agentdriver.js";

t.setTimeout(600_000);

t.test("hello identifies the process, and a stop leaves nothing behind", async (t) => {
  const { folder, attachment, hello } = await attachAgent(t);
  t.equal(hello.muster, PROTOCOL_VERSION);
  t.equal(hello.root, folder.root);
  t.equal(hello.boot, readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
  const fields = readFileSync(`/proc/${hello.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  t.equal(hello.started, Number(fields[19]));
  t.same(hello.held, []);
  attachment.start("a1", {}, ["sleep 1000 & setsid sleep 1000 & sleep 1000"]);
  await attachment.waitFor((one) => one.ev === "started");
  await waitUntil("three sleeps run", () => findProcesses(`MUSTER_ROOT=${folder.root}`).length >= 4);
  await attachment.stop();
  t.same(findProcesses(folder.root), [], "no process is left");
  t.notOk(existsSync(join(folder.root, "..")), "neither the folder nor the empty ones above it are left");
});

t.test("arguments arrive byte for byte; the environment of the slot overrides that of the spec", async (t) => {
  const { attachment } = await attachAgent(t, {
    env: { A: "node", B: "node", C: "node" },
    slots: [{ slot: 3, env: { C: "slot", GPU: "7" } }],
  });
  const hostile = [
    "",
    " ",
    "a b",
    "'",
    '"',
    "$(id)",
    "`id`",
    "\\",
    "%s",
    "new\nline",
    "é漢🎲",
    "*",
    "~",
    "-n",
    "{out}",
    "\t",
    "\u0001",
  ];
  attachment.start("args", { argv: ["python3", "-c", "import sys,json;print(json.dumps(sys.argv[1:]))"] }, hostile, 3);
  t.same(JSON.parse(decodeInline((await attachment.waitForDone("args")).stdout)), hostile);
  const env = await attachment.run(
    "env",
    'echo "$A $B $C $GPU $MUSTER_CHUNK $MUSTER_ATTEMPT $MUSTER_SLOT"',
    { env: { B: "spec", C: "spec" } },
    3,
  );
  t.equal(decodeInline(env.stdout), "node spec slot 7 chunk-env env 3\n");
  t.equal(env.slot, 3);
  attachment.start("pwd", { argv: ["python3", "-c", "import os; print(os.environ['PWD'] == os.getcwd())"] }, [], 3);
  t.equal(decodeInline((await attachment.waitForDone("pwd")).stdout), "True\n", "PWD is its working directory");
  const nul = await attachment.run("nul", "true", { env: { X: "a\0b" } }, 3);
  t.match(nul.error, /could not be started.*null byte/);
});

t.test("the done message reports how a program ended", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  const table: [string, string, Partial<DoneMessage>][] = [
    ["zero", "exit 0", { exit: 0, signal: null }],
    ["seven", "echo why >&2; exit 7", { exit: 7, signal: null, tail: "why\n" }],
    ["stdout-only", "echo cause; exit 1", { exit: 1, tail: "cause\n" }],
    ["both", "echo progress; echo cause >&2; exit 1", { exit: 1, tail: "cause\n" }],
    ["succeeded", "echo result", { exit: 0, tail: "" }],
    ["killed", "kill -9 $$", { exit: null, signal: 9 }],
    ["sigpipe", "kill -PIPE $$", { exit: null, signal: 13 }],
  ];
  for (const [id, script, expected] of table)
    t.match(await attachment.run(id, script), { ...expected, timeout: false, cancelled: false });
  for (const [id, argv, reason] of [
    ["missing", ["no-such-program"], /no-such-program could not be started: no such program in PATH=/],
    ["path", ["./none"], /\.\/none could not be started: No such file/],
    ["folder", ["/tmp"], /\/tmp could not be started: Permission denied/],
  ] as const) {
    attachment.start(id, { argv: [...argv] });
    t.match(await attachment.waitForDone(id), { error: reason, exit: null, signal: null });
  }
  attachment.start("unstaged", { files: [["in.txt", "0".repeat(64), 0o644, 1]] }, ["true"]);
  t.match(await attachment.waitFor((one) => one.ev === "lacks"), { sha256: "0".repeat(64) });
  t.match(await attachment.waitForDone("unstaged"), { cancelled: true, exit: null }, "the chunk did not fail");
  const alive = await attachment.run("memory", "head -c 50000000 /dev/zero | tail -c 1 >/dev/null; sleep 0.2");
  t.ok(alive.seconds >= 0.2 && alive.seconds < 10);
  attachment.start("where", {}, ["pwd"]);
  t.equal(decodeInline((await attachment.waitForDone("where")).stdout).trim(), join(folder.root, "w/0"));
});

t.test("malformed and unsafe commands are reported, and the agent continues", async (t) => {
  const { attachment } = await attachAgent(t);
  for (const line of [
    "{",
    "[]",
    '{"op":"nothing"}',
    '{"op":"start","id":"../x","spec":"s","chunk":"c","slot":0,"args":[]}',
    '{"op":"ack"}',
  ]) {
    attachment.sendText(`${line}\n`);
    t.match(await attachment.waitFor((one) => one.ev === "problem"), { message: /not understood/ });
  }
  attachment.start("up", { outputs: ["../up"] }, ["true"]);
  await attachment.waitFor((one) => one.ev === "problem");
  attachment.send({ op: "start", id: "nospec", chunk: "c", slot: 0, spec: "never", args: [] });
  t.match((await attachment.waitForDone("nospec")).error, /does not know the spec/);
  attachment.start("noslot", {}, ["true"], 9);
  t.match((await attachment.waitForDone("noslot")).error, /no slot 9/);
  t.equal((await attachment.run("fine", "true")).exit, 0);
});

t.test("each slot has a queue, and at most `max` attempts run at once", async (t) => {
  const slots = [0, 1, 2].map((slot) => ({ slot, env: {} }));
  const { attachment } = await attachAgent(t, { slots, max: 2 });
  for (let index = 0; index < 9; index++) attachment.start(`q${index}`, {}, ["sleep 0.05"], index % 3);
  await Promise.all(Array.from({ length: 9 }, (_, index) => attachment.waitForDone(`q${index}`)));
  let running = 0;
  let most = 0;
  for (const one of attachment.messages) {
    if (one.ev === "started") running++;
    if (one.ev === "done") running--;
    most = Math.max(most, running);
  }
  t.ok(most <= 2 + 2, `${most} started and not reported at once`); // the next attempt starts before the result is sent
  const order = attachment.messages.flatMap((one) => (one.ev === "started" ? [one.id] : []));
  for (const slot of [0, 1, 2]) {
    const mine = order.filter((id) => Number(id.slice(1)) % 3 === slot);
    t.same(mine, [...mine].sort(), `slot ${slot} kept its order`);
  }
});

t.test("the next chunk of a slot starts before the outputs of the last are read", async (t) => {
  const { attachment } = await attachAgent(t);
  attachment.start("first", { outputs: ["big"] }, ["head -c 200000000 /dev/zero > big"]);
  attachment.start("second", {}, ["sleep 5"]); // long enough for its start to be sent separately
  await attachment.waitForDone("first");
  const events = attachment.messages.map((one) => ("id" in one ? `${one.ev} ${one.id}` : one.ev));
  t.ok(events.includes("started second"), "sent before the first one's result");
});

t.test("attach says why it cannot make the run's folder", async (t) => {
  const folder = new AgentFolder();
  folder.remove();
  const inTheWay = join(folder.root, "../..");
  writeFileSync(inTheWay, "");
  t.teardown(() => rmSync(inTheWay));
  const attachment = new AgentAttachment(folder);
  t.equal(await attachment.waitForExit(), 1);
  t.match(attachment.stderr, /^muster agent: Not a directory \(.*runs.*\)\n$/);
});

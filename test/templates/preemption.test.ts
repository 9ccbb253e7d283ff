import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { AgentMessage, DoneMessage, OpenCommand, StartCommand } from "../../executor/run/agent/protocol.js";
import { waitUntil } from "../lab/waituntil.js";
import { type AgentAttachment, attachAgent, decodeInline } from "./agentdriver.js";

t.setTimeout(600_000);
// Most of the time they wait, so they do that side by side.
t.jobs = 5;

// The abstract names of these locks are known, and each test has GPUs of its own.
delete process.env.MUSTER_LOCK_FOLDER;

const isRoot = process.geteuid?.() === 0;
const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
const state = { every: 3600, limit: 10_000 };

/** A program that works until it is told to end. Then it saves `TEXT`, unless that is empty. */
const saver = (text: string) => `
save() { mkdir -p "$MUSTER_STATE/$1"; printf %s "$1" > "$MUSTER_STATE/$1/w"; printf %s "$1" > "$MUSTER_STATE/c"; mv "$MUSTER_STATE/c" "$MUSTER_STATE/current"; }
trap '${text === "" ? "" : `save ${text};`} exit 0' TERM
while :; do sleep 0.1; done`;

const gpus = (name: string, count = 1): OpenCommand["slots"] =>
  Array.from({ length: count }, (_, gpu) => ({ slot: gpu, gpu, env: {}, lock: `${name}-${process.pid}-${gpu}` }));

/** Two runs that share GPUs; the second has the given priority. */
async function shareGpus(t: Test, name: string, priority: number, settings: Partial<OpenCommand> = {}) {
  const slots = gpus(name, settings.slots?.length);
  const [low, high] = [
    await attachAgent(t, { run: "low", ...settings, slots }),
    await attachAgent(t, { run: "high", ...settings, slots, priority }),
  ];
  return { low, high };
}

/** Starts an attempt whose command has more keys than the driver's `start` sets. */
function start(attachment: AgentAttachment, id: string, script: string, keys: Partial<StartCommand> = {}): void {
  const spec = { argv: ["sh", "-c"], env: {}, files: [], outputs: [], limit: 2 ** 32, grace: 3, state };
  attachment.send({ op: "start", id, chunk: `chunk-${id}`, slot: 0, spec, args: [script], ...keys });
}

const hasStarted = (id: string) => (one: AgentMessage) => one.ev === "started" && one.id === id;

t.test("an attempt with a state ends for a run of higher priority, and both runs are told", async (t) => {
  const { low, high } = await shareGpus(t, "ends", 5);
  start(low.attachment, "a", saver("one"));
  start(low.attachment, "next", "true");
  await low.attachment.waitFor(hasStarted("a"));
  high.attachment.start("h", {}, ["sleep 1"]);
  t.match(await high.attachment.waitFor((one) => one.ev === "slot"), { holder: "low", ending: undefined });
  t.match(await high.attachment.waitFor((one) => one.ev === "slot"), { holder: "low", ending: 3 });
  t.same(await low.attachment.waitFor((one) => one.ev === "preempted"), { ev: "preempted", id: "a", run: "high" });
  t.match(await low.attachment.waitFor((one) => one.ev === "slot"), { slot: 0, holder: "high" });
  const done = await low.attachment.waitForDone("a");
  t.match(done, { cancelled: true, preempted: { run: "high", saved: true }, state: { name: "one" } });
  t.ok(done.seconds >= 5, `it had run for ${done.seconds} s`);
  t.notOk("holder" in (await high.attachment.waitFor((one) => one.ev === "slot")));
  t.match(await high.attachment.waitForDone("h"), { exit: 0 });
  const next = await low.attachment.waitForDone("next");
  t.match(next, { exit: 0 });
  t.notOk(next.preempted, "what was queued behind it has waited");
});

t.test("other attempts end by themselves", async (t) => {
  const cases: [name: string, priority: number, keys: object][] = [
    ["equal", 0, {}],
    ["lower", -1, {}],
    ["stateless", 5, { state: undefined }],
  ];
  await Promise.all(
    cases.map(async ([name, priority, keys]) => {
      const { low, high } = await shareGpus(t, name, priority);
      low.attachment.start("a", { state, ...keys }, ["sleep 8"]);
      await low.attachment.waitFor(hasStarted("a"));
      high.attachment.start("h", {}, ["true"]);
      t.match(await high.attachment.waitFor((one) => one.ev === "slot"), { holder: "low" });
      const done = await low.attachment.waitForDone("a");
      t.match(done, { exit: 0, cancelled: false, preempted: undefined }, name);
      t.match(await high.attachment.waitForDone("h"), { exit: 0 }, name);
    }),
  );
});

t.test("an attempt that must save first runs until it has saved something new", async (t) => {
  const { low, high } = await shareGpus(t, "first", 5);
  const go = join(low.folder.root, "go");
  const kept = { name: "old", files: [{ path: "w", size: 3, sha256: low.folder.stage("old") }] };
  const again = 'mkdir "$MUSTER_STATE/x"; printf old > "$MUSTER_STATE/x/w"; printf x > "$MUSTER_STATE/current"';
  const saves = `until [ -e ${go} ]; do sleep 0.1; done; mkdir "$MUSTER_STATE/y"; printf new > "$MUSTER_STATE/y/w"; printf y > "$MUSTER_STATE/current"`;
  start(low.attachment, "a", `${again}; touch ${go}.same; ${saves}; ${saver("")}`, { saveFirst: true, state: kept });
  await low.attachment.waitFor(hasStarted("a"));
  high.attachment.start("h", {}, ["true"]);
  await high.attachment.waitFor((one) => one.ev === "slot" && one.holder === "low");
  const enough = Date.now() + 12_000;
  await waitUntil("two looks have passed", () => Date.now() > enough);
  t.ok(existsSync(`${go}.same`));
  t.notOk(
    low.attachment.messages.some(({ ev }) => ev === "preempted"),
    "the same files under another name are nothing new",
  );
  writeFileSync(go, "");
  const done = await low.attachment.waitForDone("a");
  t.match(done, { cancelled: true, preempted: { run: "high", saved: true }, state: { name: "y" } });
  await high.attachment.waitForDone("h");
});

t.test("an attempt that is killed after its grace, or saves nothing, says so", async (t) => {
  const { low, high } = await shareGpus(t, "unsaved", 5);
  start(low.attachment, "a", "trap '' TERM; while :; do sleep 0.1; done");
  await low.attachment.waitFor(hasStarted("a"));
  high.attachment.start("h", {}, ["true"]);
  const done = await low.attachment.waitForDone("a");
  t.match(done, { signal: 9, cancelled: true, preempted: { run: "high", saved: false }, state: undefined });
  t.ok(done.seconds >= 8, `after five seconds and its grace: ${done.seconds} s`);
  await high.attachment.waitForDone("h");
});

t.test("a run that dies while it waits leaves the slot to the other one", async (t) => {
  const { low, high } = await shareGpus(t, "dies", 5);
  start(
    low.attachment,
    "a",
    `trap 'until [ -e ${join(low.folder.root, "go")} ]; do sleep 0.1; done; exit 0' TERM; while :; do sleep 0.1; done`,
  );
  start(low.attachment, "next", saver("two"));
  await low.attachment.waitFor(hasStarted("a"));
  high.attachment.start("h", {}, ["true"]);
  await low.attachment.waitFor((one) => one.ev === "preempted");
  t.match(await low.attachment.waitFor((one) => one.ev === "slot"), { holder: "high" });
  process.kill(high.hello.pid, "SIGKILL");
  writeFileSync(join(low.folder.root, "go"), "");
  await low.attachment.waitFor(hasStarted("next"));
  t.match(await low.attachment.waitFor((one) => one.ev === "slot"), { holder: undefined });
  const enough = Date.now() + 6000;
  await waitUntil("it could have been ended, too", () => Date.now() > enough);
  t.notOk(low.attachment.messages.some((one) => one.ev === "preempted" && one.id === "next"));
});

t.test("an attempt on two GPUs, and two attempts on one each, give way to each other", async (t) => {
  const two = { slots: gpus("wide", 2) };
  const { low, high } = await shareGpus(t, "wide", 5, two);
  start(low.attachment, "pair", saver("pair"), { slots: [0, 1] });
  await low.attachment.waitFor(hasStarted("pair"));
  high.attachment.start("h", {}, ["true"], 1);
  t.match(await low.attachment.waitForDone("pair"), { cancelled: true, preempted: { run: "high", saved: true } });
  t.match(await high.attachment.waitForDone("h"), { exit: 0 });
  for (const slot of [0, 1]) start(low.attachment, `one${slot}`, saver(`s${slot}`), { slot });
  for (const slot of [0, 1]) await low.attachment.waitFor(hasStarted(`one${slot}`));
  high.attachment.send({
    ...{ op: "start", id: "wide", chunk: "wide", slot: 0, slots: [0, 1], args: ["echo $MUSTER_GPUS"] },
    spec: { argv: ["sh", "-c"], env: {}, files: [], outputs: [], limit: 2 ** 32 },
  });
  const ends = await Promise.all([0, 1].map((slot) => low.attachment.waitForDone(`one${slot}`)));
  for (const end of ends) t.match(end, { cancelled: true, preempted: { run: "high", saved: true } });
  t.ok(Math.abs(ends[0]!.seconds - ends[1]!.seconds) < 3, "both ended at once, not one after the other");
  t.equal(decodeInline((await high.attachment.waitForDone("wide")).stdout), "0,1\n");
});

const WARM = `
import muster, os, time
for chunk in muster.chunks():
    folder = chunk.state / "zero"
    folder.mkdir()
    (folder / "w").write_text("0")
    (chunk.state / "n").write_text("zero")
    os.rename(chunk.state / "n", chunk.state / "current")
    time.sleep(float(chunk.args[0]))
    chunk.write("out", b"x")
`;

t.test("a warm worker ends with its chunk, and a new one takes the next", async (t) => {
  const { low, high } = await shareGpus(t, "warm", 5);
  const spec = { argv: ["python3", "-c", WARM], outputs: ["out"], warm: {}, state };
  low.attachment.start("a", spec, ["60"]);
  low.attachment.start("b", spec, ["0.1"]);
  await low.attachment.waitFor(hasStarted("a"));
  high.attachment.start("h", {}, ["true"]);
  t.match(await low.attachment.waitForDone("a"), { cancelled: true, preempted: { run: "high", saved: true } });
  t.match(await high.attachment.waitForDone("h"), { exit: 0 });
  t.match(await low.attachment.waitForDone("b"), { exit: 0, missing: [] });
});

t.test("permits of max_concurrent are freed for a run of higher priority: as many as it waits for", async (t) => {
  const [low, high] = [
    await attachAgent(t, { run: "low", slots: gpus("permits-low", 3), max: 3 }),
    await attachAgent(t, { run: "high", slots: gpus("permits-high", 1), max: 3, priority: 5 }),
  ];
  for (const slot of [0, 1, 2]) start(low.attachment, `a${slot}`, saver(`s${slot}`), { slot });
  for (const slot of [0, 1, 2]) await low.attachment.waitFor(hasStarted(`a${slot}`));
  high.attachment.start("h", {}, ["sleep 1"]);
  t.match(await high.attachment.waitForDone("h"), { exit: 0 });
  const ended = low.attachment.messages.filter(({ ev }) => ev === "preempted");
  t.equal(ended.length, 1, JSON.stringify(ended));
});

/** Connects to an abstract name as a run of high priority does, and prints what it is told. */
const CLAIM = `import socket, sys, time
one = socket.socket(socket.AF_UNIX)
one.bind("\\0" + sys.argv[1] + "/1000000/p0123456789abcdef")
one.connect("\\0" + sys.argv[1])
one.send(b"evil\\n" * 1000)
print(one.recv(100), flush=True)
time.sleep(600)
`;

t.test("a claim of another user has no effect", { skip: !isRoot && "needs root" }, async (t) => {
  const { attachment } = await attachAgent(t, { run: "low", slots: gpus("claim") });
  start(attachment, "a", `sleep 8`);
  await attachment.waitFor(hasStarted("a"));
  const name = `muster/${boot}/gpu/claim-${process.pid}-0`;
  const child = spawn("python3", ["-c", CLAIM, name], { uid: 4242, gid: 4242 });
  t.teardown(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const done: DoneMessage = await attachment.waitForDone("a");
  t.match(done, { exit: 0, cancelled: false, preempted: undefined });
});

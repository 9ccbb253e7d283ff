import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { findProgram } from "../lab/requirements.js";
import { waitUntil } from "../lab/waituntil.js";
import { AgentAttachment, AgentFolder, attachAgent, decodeInline, stopAgent } from "./agentdriver.js";

t.setTimeout(600_000);

// These locks have the names that older agents know, and each test a GPU of its own.
delete process.env.MUSTER_LOCK_FOLDER;

const isRoot = process.getuid?.() === 0;
const me = process.getuid?.() ?? 0;
const LOCKS = `/var/tmp/muster-${me}`;
const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

const slotsOf = (gpu: string) => [{ slot: 0, env: {}, lock: gpu }];
const filesOf = (gpu: string) => ["lock", "sock"].filter((end) => existsSync(join(LOCKS, `gpu-${gpu}.${end}`)));

/** Runs Python that holds a lock until the test ends; resolves when it has printed a line. */
async function startHolder(
  t: Test,
  program: string,
  words: string[],
  uid = me,
): Promise<ChildProcessWithoutNullStreams> {
  const child = spawn("python3", ["-c", program, ...words], { uid, gid: uid });
  t.teardown(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return child;
}

/** Holds the abstract name, and tells waiters what an agent does: the highest priority, and its run. */
const HOLD_NAME = `import socket, sys
held = socket.socket(socket.AF_UNIX)
held.bind("\\0" + sys.argv[1])
held.listen()
print("held", flush=True)
waiters = []
while True:
    waiters.append(held.accept()[0])
    waiters[-1].send(b"0 " + sys.argv[2].encode() + b"\\n")
`;

/** Holds a lock file, but no socket. */
const HOLD_FILE = `import fcntl, os, sys, time
os.makedirs(os.path.dirname(sys.argv[1]), 0o700, exist_ok=True)
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
`;

t.test("lock files are released after the chunk, and when an agent is killed", async (t) => {
  const gpu = `files-${process.pid}`;
  const [first, second] = [
    await attachAgent(t, { run: "alpha", slots: slotsOf(gpu) }),
    await attachAgent(t, { slots: slotsOf(gpu) }),
  ];
  first.attachment.start("long", {}, ["sleep 600"]);
  await first.attachment.waitFor((one) => one.ev === "started");
  t.same(filesOf(gpu), ["lock", "sock"]);
  second.attachment.start("waiting", {}, [`ls ${LOCKS}`]);
  t.match(await second.attachment.waitFor((one) => one.ev === "slot"), { holder: "alpha", foreign: undefined });
  process.kill(first.hello.pid, "SIGKILL");
  t.equal((await second.attachment.waitForDone("waiting")).exit, 0);
  await second.attachment.waitFor((one) => one.ev === "slot" && one.holder === undefined);
  second.attachment.start("last", {}, ["true"]);
  await second.attachment.waitForDone("last");
  second.attachment.send({ op: "ping" });
  await second.attachment.waitFor((one) => one.ev === "pong");
  t.same(filesOf(gpu), [], "the next holder has removed what the killed one left");
});

t.test("an agent that is stopped during a chunk leaves no lock file", async (t) => {
  const gpu = `stopped-${process.pid}`;
  const { attachment, hello } = await attachAgent(t, { slots: slotsOf(gpu) });
  attachment.start("long", {}, ["sleep 600"]);
  await attachment.waitFor((one) => one.ev === "started");
  t.same(filesOf(gpu), ["lock", "sock"]);
  await attachment.stop();
  await waitUntil("the agent is gone", () => !existsSync(`/proc/${hello.pid}`));
  t.same(filesOf(gpu), []);
});

t.test("an agent that predates lock files still excludes others", async (t) => {
  const gpu = `old-${process.pid}`;
  const old = await startHolder(t, HOLD_NAME, [`muster/${boot}/gpu/${gpu}`, "old"]);
  const { attachment } = await attachAgent(t, { slots: slotsOf(gpu) });
  attachment.start("waiting", {}, ["true"]);
  t.match(await attachment.waitFor((one) => one.ev === "slot"), { slot: 0, holder: "old", foreign: undefined });
  t.notOk(attachment.messages.some((one) => one.ev === "started"));
  t.same(filesOf(gpu), [], "a waiting run holds no lock");
  old.kill();
  await attachment.waitForDone("waiting");
});

t.test(
  "another user's process is identified by uid and pid, whatever it claims",
  { skip: !isRoot && "needs root" },
  async (t) => {
    const gpu = `foreign-${process.pid}`;
    const other = await startHolder(t, HOLD_NAME, [`muster/${boot}/gpu/${gpu}`, "alpha"], 4242);
    const { attachment } = await attachAgent(t, { slots: slotsOf(gpu) });
    attachment.start("waiting", {}, ["true"]);
    const holder = `uid 4242, pid ${other.pid} (run alpha)`;
    t.match(await attachment.waitFor((one) => one.ev === "slot"), { slot: 0, holder, foreign: true });
    other.kill();
    await attachment.waitForDone("waiting");
  },
);

t.test("a locked file excludes others even where no socket answers", async (t) => {
  const gpu = `flock-${process.pid}`;
  const path = join(LOCKS, `gpu-${gpu}.lock`);
  const other = await startHolder(t, HOLD_FILE, [path]);
  const { attachment } = await attachAgent(t, { slots: slotsOf(gpu) });
  attachment.start("waiting", {}, ["true"]);
  const holder = `uid ${me}, pid ${other.pid} (it has locked ${path})`;
  t.match(await attachment.waitFor((one) => one.ev === "slot"), { slot: 0, holder, foreign: true });
  t.notOk(attachment.messages.some((one) => one.ev === "started"));
  other.kill();
  await attachment.waitForDone("waiting");
  t.same(filesOf(gpu), []);
});

/** A PATH on which python3 runs in a network namespace of its own. */
function isolated(t: Test): NodeJS.ProcessEnv {
  const bin = mkdtempSync(join(tmpdir(), "netns-"));
  t.teardown(() => rmSync(bin, { recursive: true }));
  writeFileSync(join(bin, "python3"), `#!/bin/sh\nexec unshare --net ${findProgram("python3")} "$@"\n`, {
    mode: 0o755,
  });
  return { PATH: `${bin}:${process.env.PATH}` };
}

t.test("runs in two network namespaces take turns", { skip: !isRoot && "needs root" }, async (t) => {
  const gpu = `netns-${process.pid}`;
  const { attachment: first } = await attachAgent(t, { run: "alpha", slots: slotsOf(gpu) });
  const folder = new AgentFolder();
  t.teardown(() => stopAgent(folder));
  const second = new AgentAttachment(folder, isolated(t));
  await second.open({ run: "beta", slots: slotsOf(gpu), priority: 1 });
  const go = join(folder.root, "go");
  for (let index = 0; index < 20; index++)
    first.start(`low${index}`, {}, [`until [ -e ${go} ]; do sleep 0.1; done; sleep 0.3`]);
  await first.waitFor((one) => one.ev === "started");
  second.start("high", {}, ["readlink /proc/self/ns/net"]);
  t.match(await second.waitFor((one) => one.ev === "slot"), { holder: "alpha", foreign: undefined });
  writeFileSync(go, "");
  const namespace = decodeInline((await second.waitForDone("high")).stdout).trim();
  t.not(namespace, readlinkSync("/proc/self/ns/net"), "it cannot see the first run's abstract name");
  t.notOk(
    first.messages.some((one) => one.ev === "done" && one.id === "low19"),
    "it goes first, although the other has work left",
  );
});

t.test(
  "a lock folder that is not private is not used, and is reported once",
  { skip: !isRoot && "needs root" },
  async (t) => {
    const gpu = `shared-${process.pid}`;
    // In a mount namespace of its own: every run of this user uses this folder.
    const bin = mkdtempSync(join(tmpdir(), "mounts-"));
    t.teardown(() => rmSync(bin, { recursive: true }));
    const script = `#!/bin/sh
exec unshare --mount sh -c 'mount -t tmpfs tmpfs /var/tmp; mkdir ${LOCKS}; chown 4242 ${LOCKS}; exec ${findProgram("python3")} "$@"' sh "$@"
`;
    mkdirSync(join(bin, "bin"));
    writeFileSync(join(bin, "bin/python3"), script, { mode: 0o755 });
    chmodSync(bin, 0o755);
    const folder = new AgentFolder();
    t.teardown(() => stopAgent(folder));
    const attachment = new AgentAttachment(folder, { PATH: `${join(bin, "bin")}:${process.env.PATH}` });
    await attachment.open({ slots: slotsOf(gpu) });
    for (const id of ["one", "two"]) t.equal((await attachment.run(id, `ls ${LOCKS} | wc -l`)).exit, 0);
    const problems = attachment.messages.flatMap((one) => (one.ev === "problem" ? [one.message] : []));
    t.equal(problems.length, 1);
    t.match(problems[0], `${LOCKS} belongs to uid 4242: GPUs are locked without it`);
  },
);

t.test("no lock file is left", async (t) => {
  const left = execFileSync("sh", ["-c", `ls ${LOCKS} 2>/dev/null || true`], { encoding: "utf8" });
  t.notMatch(left, new RegExp(`-${process.pid}\\.`));
});

import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { agentProgram, cleanProgram } from "../../templates/nodeprograms.js";
import { waitUntil } from "../lab/waituntil.js";
import { AgentAttachment, attachAgent, coordinatorNonces, findProcesses, RunFolder, stopAgent } from "./agentdriver.js";

t.setTimeout(120_000);

/** An agent in a folder of its own with a chunk that runs in two sessions, one of them without its environment. */
async function busy(t: Test, slots = 1) {
  const { folder, attachment, hello } = await attachAgent(t, {
    slots: Array.from({ length: slots }, (_, slot) => ({ slot, env: {} })),
  });
  const nap = `1${hello.pid}`;
  attachment.start("long", {}, [`env -i setsid sleep ${nap} & exec sleep ${nap}`]);
  await waitUntil("it runs in two sessions", () => chunks(nap).length === 2);
  return { folder, attachment, hello, nap };
}

const chunks = (nap: string) => findProcesses(`sleep\0${nap}\0`);
/** A zombie has ended, though its parent has not noticed yet. */
const lives = (pid: number) => findProcesses("attach\0").includes(pid);
const remove = (folder: RunFolder) => rmSync(dirname(folder.root), { recursive: true });

const LOST: [string, RegExp, (folder: RunFolder) => void][] = [
  ["deleted", /it was deleted or moved/, remove],
  ["moved", /it was deleted or moved/, ({ root }) => renameSync(dirname(root), join(dirname(root), "../elsewhere"))],
  [
    "replaced",
    /another folder is in its place/,
    (folder) => {
      remove(folder);
      mkdirSync(folder.root, { recursive: true });
      writeFileSync(join(folder.root, "precious"), "");
    },
  ],
];
for (const [what, reason, lose] of LOST)
  t.test(`an agent whose folder is ${what} ends, with all that it runs, and says why`, async (t) => {
    const { folder, attachment, hello, nap } = await busy(t);
    lose(folder);
    const problem = await attachment.waitFor((one) => one.ev === "problem");
    t.match(problem, { message: reason });
    t.match(problem, { message: folder.root });
    t.equal(await attachment.waitForExit(), 0);
    await waitUntil("it is gone", () => !lives(hello.pid));
    t.same(chunks(nap), [], "no chunk is left");
    t.notOk(
      attachment.messages.some((one) => one.ev === "done"),
      "what it killed has not failed",
    );
    if (what === "replaced") t.same(readdirSync(folder.root), ["precious"], "what replaced it is not touched");
    else t.notOk(existsSync(folder.root));
  });

t.test("an agent that nobody is attached to and that has nothing to do notices, too", async (t) => {
  const { folder, attachment, hello } = await attachAgent(t);
  await attachment.disconnect();
  remove(folder);
  await waitUntil("it is gone", () => !lives(hello.pid), 15);
});

t.test("a chunk that ends or begins after the folder was deleted is not reported as failed", async (t) => {
  const { folder, attachment } = await busy(t, 2);
  const gate = join(dirname(folder.root), "../gate");
  attachment.start("ends", { outputs: ["out"] }, [`: > out; until [ -e ${gate} ]; do sleep 0.01; done`], 1);
  attachment.start("begins", {}, ["true"], 1);
  await attachment.waitFor((one) => one.ev === "started" && one.id === "ends");
  remove(folder);
  writeFileSync(gate, "");
  await attachment.waitFor((one) => one.ev === "problem");
  await attachment.waitForExit();
  t.notOk(attachment.messages.some((one) => one.ev === "done"));
});

t.test("a chunk that is given out after the folder was deleted is not reported as failed", async (t) => {
  const { folder, attachment } = await attachAgent(t);
  remove(folder);
  attachment.start("late", {}, ["true"]);
  t.match(await attachment.waitFor((one) => one.ev === "problem" || one.ev === "done"), { ev: "problem" });
  await attachment.waitForExit();
});

t.test("a folder that cannot be looked at is not gone: its agent works on", async (t) => {
  const { folder, attachment, hello, nap } = await busy(t, 2);
  const runs = dirname(folder.root);
  renameSync(runs, `${runs}.aside`);
  symlinkSync("runs", runs); // a loop: the system answers ELOOP
  for (let count = 0; count < 3; count++) {
    attachment.send({ op: "ping" });
    await attachment.waitFor((one) => one.ev === "pong");
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  t.ok(lives(hello.pid));
  t.equal(chunks(nap).length, 2);
  unlinkSync(runs);
  renameSync(`${runs}.aside`, runs);
  t.match(await attachment.run("after", "echo works", {}, 1), { exit: 0 });
});

t.test("a new agent ends the one whose folder it took, also one that cannot notice anything", async (t) => {
  const { folder, attachment, hello, nap } = await busy(t);
  process.kill(hello.pid, "SIGSTOP");
  remove(folder);
  const other = new RunFolder(`${dirname(folder.root)}/other`);
  t.teardown(() => stopAgent(other));
  const beside = new AgentAttachment(other);
  const besideHello = await beside.open();
  beside.start("long", {}, [`exec sleep 9${nap}`]);
  const next = new AgentAttachment(folder);
  t.same((await next.open(coordinatorNonces(2))).held, []);
  t.notOk(lives(hello.pid), "the first one is gone before the second says hello");
  t.same(chunks(nap), [], "with what it ran");
  t.ok(lives(besideHello.pid), "that of another run lives");
  t.equal(chunks(`9${nap}`).length, 1);
  await attachment.waitForExit();
  await next.stop();
});

/** What the program that ends strays says of a folder. */
function clean(root: string): Record<string, unknown> {
  const { args: words, stdin } = cleanProgram(agentProgram());
  const { stdout, stderr, status } = spawnSync("python3", [...words, root], { input: stdin, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout).muster_clean;
}

t.test("clean ends an agent without a folder and its chunks, and says what is left", async (t) => {
  const { folder, attachment, hello, nap } = await busy(t);
  const other = new RunFolder(`${dirname(folder.root)}/other`);
  t.teardown(() => stopAgent(other));
  const beside = new AgentAttachment(other);
  await beside.open();
  process.kill(hello.pid, "SIGSTOP");
  rmSync(folder.root, { recursive: true });
  const report = clean(folder.root);
  t.match(report, { alive: [], root: null });
  t.ok((report.ended as number) >= 1);
  t.notOk(lives(hello.pid));
  t.same(chunks(nap), []);
  await attachment.waitForExit();
  t.match(clean(folder.root), { ended: 0, alive: [], root: null }, "again: there is nothing");
  t.match(await beside.run("works", "true"), { exit: 0 }, "another run's agent is not touched");
});

t.test("clean kills the chunks of an agent that was killed, and says that its folder is there", async (t) => {
  const { folder, attachment, hello } = await attachAgent(t);
  const nap = `2${hello.pid}`;
  attachment.start("orphan", {}, [`exec sleep ${nap}`]);
  await attachment.waitFor((one) => one.ev === "started");
  process.kill(hello.pid, "SIGKILL");
  await attachment.waitForExit();
  t.equal(chunks(nap).length, 1, "it lives on");
  t.match(clean(folder.root), { ended: 1, alive: [], root: "it is still there" });
  t.same(chunks(nap), []);
  const runs = dirname(folder.root);
  renameSync(runs, `${runs}.aside`);
  symlinkSync("runs", runs);
  t.match(clean(folder.root), { root: /^it cannot be looked at: Too many levels of symbolic links/ });
  unlinkSync(runs);
  renameSync(`${runs}.aside`, runs);
});
